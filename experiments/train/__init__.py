"""Training with a twin or without (Algorithm 1, the paper's Figs. 5 and 6)."""
