"""Learning from a fixed history (Algorithm 2, the paper's Fig. 9)."""
