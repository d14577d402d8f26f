"""How fast simulator, twin, training and decisions are, as ratios of one run."""
