"""TorchRL: its DQN loss, collector and replay buffer on the environment as it is.

Run: python examples/torchrl_loop.py [decisions]   (needs torchrl in addition; 1 minute)
"""

from __future__ import annotations

import sys

import torch

import slicing_gym  # noqa: F401

try:
    from tensordict.nn import TensorDictSequential
    from torchrl.collectors import Collector
    from torchrl.data import LazyTensorStorage, ReplayBuffer
    from torchrl.envs import GymEnv
    from torchrl.modules import MLP, EGreedyModule, QValueActor
    from torchrl.objectives import DQNLoss, SoftUpdate
except ModuleNotFoundError as error:
    sys.exit(f"error: {error.name} is missing: pip install torchrl")


def main(decisions: int = 4000) -> float:
    """Learn; the mean utility of the last batch of decisions."""
    torch.manual_seed(0)
    env = GymEnv("SliceRAN-v0", categorical_action_encoding=True, scenario="paper-1mhz", reward="utility")
    env = env.auto_register_info_dict()  # what info holds is in the tensors, too
    network = MLP(in_features=3, out_features=env.action_spec.space.n, num_cells=[64, 64])
    actor = QValueActor(network, in_keys=["observation"], spec=env.action_spec)
    explore = EGreedyModule(env.action_spec, eps_init=1.0, eps_end=0.02, annealing_num_steps=decisions // 2)
    loss = DQNLoss(actor, action_space=env.action_spec, delay_value=True)
    loss.make_value_estimator(gamma=0.8)
    updater = SoftUpdate(loss, eps=0.99)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
    replay = ReplayBuffer(storage=LazyTensorStorage(10_000), batch_size=64)
    policy = TensorDictSequential(actor, explore)
    collector = Collector(env, policy, frames_per_batch=50, total_frames=decisions)
    mean = 0.0
    for batch in collector:
        explore.step(batch.numel())
        replay.extend(batch.reshape(-1))
        for _ in range(50):
            optimizer.zero_grad()
            loss(replay.sample())["loss"].backward()
            optimizer.step()
            updater.step()
        mean = float(batch["next", "utility"].mean())
    collector.shutdown()
    print(f"mean utility of the last 50 decisions {mean:.2f}")
    return mean


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
