"""The loss around trained weights (the paper's Fig. 7)."""
