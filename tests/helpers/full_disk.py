"""A disk without room, as far as a process can make it one."""

from __future__ import annotations

import resource
from contextlib import contextmanager


@contextmanager
def files_of_at_most(size):
    """Files of this process may have so many bytes, as where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
