"""Deployment: `export_policy` writes a policy's ONNX file, `SlicePolicy` runs it without PyTorch.

Both are imported when they are first asked for, so that what runs a policy needs only what is installed there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agents.deploy.decision import Decision
    from agents.deploy.export import export_policy
    from agents.deploy.slice_policy import SlicePolicy

_MODULES = {
    "Decision": "agents.deploy.decision",
    "SlicePolicy": "agents.deploy.slice_policy",
    "export_policy": "agents.deploy.export",
}

__all__ = ["Decision", "SlicePolicy", "export_policy"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'agents.deploy' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
