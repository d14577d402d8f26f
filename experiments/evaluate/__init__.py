"""Policies compared on the same cells."""
