"""skrl: DQN over a batch that gym.make_vec makes."""

from __future__ import annotations

import sys
import tempfile

import gymnasium as gym
from skrl.agents.torch.dqn import DQN
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from torch import nn
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


class QNetwork(DeterministicMixin, Model):
    def __init__(self, observation_space: gym.Space, action_space: gym.Space) -> None:
        Model.__init__(self, observation_space=observation_space, action_space=action_space, device="cpu")
        DeterministicMixin.__init__(self)
        self.net = nn.Sequential(nn.Linear(self.num_observations, 32), nn.ReLU(), nn.Linear(32, self.num_actions))

    def compute(self, inputs, role):  # noqa: ARG002
        return self.net(inputs["observations"]), {}


def train(env_id: str) -> None:
    env = wrap_env(gym.make_vec(env_id, num_envs=2), wrapper="gymnasium")
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    models = {name: QNetwork(**spaces) for name in ("q_network", "target_q_network")}
    before = fingerprint(models["q_network"])
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"directory": folder, "write_interval": 0, "checkpoint_interval": 0}
        agent = DQN(
            models=models,
            memory=RandomMemory(memory_size=500, num_envs=2, device="cpu"),
            device="cpu",
            cfg={"learning_starts": 50, "batch_size": 32, "experiment": quiet},
            **spaces,
        )
        SequentialTrainer(env=env, agents=agent, cfg={"timesteps": 220, "headless": True}).train()
    assert fingerprint(models["q_network"]) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
