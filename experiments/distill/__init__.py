"""Students of trained agents (the paper's Fig. 8)."""
