"""RLlib: PPO on the id, whose env_config gives arguments; a class of environments is told the line to use."""

from __future__ import annotations

import sys

import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.rllib.env.env_context import EnvContext

from slicing_gym import SliceRANEnv
from twin.env import SliceTwinEnv

CLASSES = {"SliceRAN-v0": SliceRANEnv, "SliceTwin-v0": SliceTwinEnv}
MODULES = {"SliceRAN-v0": "slicing_gym", "SliceTwin-v0": "twin"}


def refusal(kind: type) -> str:
    """What a class of environments says to RLlib's way of making one."""
    try:
        kind(EnvContext({"reward": "utility"}, worker_index=0))
    except TypeError as error:
        return str(error)
    return ""


def train(env_id: str) -> None:
    assert f"config.environment('{MODULES[env_id]}:{env_id}', env_config=" in refusal(CLASSES[env_id])
    config = (
        PPOConfig()
        .environment(f"{MODULES[env_id]}:{env_id}", env_config={"reward": "utility"})
        .env_runners(num_env_runners=0, num_envs_per_env_runner=2)  # PPO has two of its own, which wait for a CPU each
        .training(train_batch_size_per_learner=256, minibatch_size=128, num_epochs=1)
        .rl_module(model_config=DefaultModelConfig(fcnet_hiddens=[32]))
    )
    algorithm = config.build_algo()
    before = algorithm.get_module().state_dict()
    before = {name: value.clone() for name, value in before.items()}
    algorithm.train()
    after = algorithm.get_module().state_dict()
    assert any(not value.equal(before[name]) for name, value in after.items())
    algorithm.stop()


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
    ray.shutdown()
