"""What the programs compare to see that something was learned."""

from __future__ import annotations

import hashlib
from typing import Any


def fingerprint(module: Any) -> str:
    """Of the weights of a PyTorch module."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
