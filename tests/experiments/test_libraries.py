"""The topics as libraries: importing one starts nothing, and needs no Hydra."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("topics", ["distill landscape export"])
def test_importing_has_no_side_effects(topics):
    """In a fresh process."""
    script = f"""
import os, sys
import torch
before = dict(os.environ), torch.get_num_threads(), list(sys.path)
for topic in {topics.split()!r}:
    __import__("experiments." + topic)
assert before == (dict(os.environ), torch.get_num_threads(), list(sys.path))
found = {{"hydra", "omegaconf", "matplotlib.pyplot"}} & set(sys.modules)
assert not found, found
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
