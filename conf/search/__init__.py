"""A Hydra group: one YAML file a choice."""
