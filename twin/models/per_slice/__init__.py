"""Performance slice by slice: Gaussian processes over units, load and what was left over, in closed form."""
