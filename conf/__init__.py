"""Hydra configuration as commented YAML; the types of its keys stand in `experiments/schemas.py`."""
