"""A fitted twin as arrays and compiled code; no PyTorch."""
