"""Is `experiments.tools.ship` now."""
