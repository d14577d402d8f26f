"""Folders of runs, checkpoints, names."""
