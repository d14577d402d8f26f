"""Is `experiments.tools.interruption` now."""
