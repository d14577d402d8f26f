"""Fitting a twin to a history (PyTorch)."""
