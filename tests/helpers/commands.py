"""Configurations as the command lines make them."""

from __future__ import annotations

import yaml
from hydra import compose, initialize_config_dir

from experiments.config.hydra import CONFIG_FOLDER, register, settings_of


def configured(name, schema, *overrides):
    """The settings that `python -m experiments.<name>` with these overrides hands to its `prepare`."""
    register(name, schema)
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return settings_of(compose(name, list(overrides)), schema)


def yaml_defaults(name):
    """What a command's file in `conf/` sets, but for what is Hydra's own."""
    with open(f"{CONFIG_FOLDER}/{name}.yaml") as file:
        found = yaml.safe_load(file)
    return {key: value for key, value in found.items() if key not in ("defaults", "hydra")}
