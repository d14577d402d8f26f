"""Where agents act, under the wrappers that a configuration names."""

from experiments.environments.environments import Environments
from experiments.environments.stepping import AnyVectorEnv, advance, scenario_of

__all__ = ["AnyVectorEnv", "Environments", "advance", "scenario_of"]
