"""Experiments: thin Hydra mains over the library."""
