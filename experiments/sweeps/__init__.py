"""Sweeps: many runs of one command, each a process of its own, here or on a cluster."""
