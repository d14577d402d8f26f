"""TorchRL: DQN on its GymEnv, with what info holds in the tensors."""

from __future__ import annotations

import sys

import torch
from tensordict.nn import TensorDictSequential
from torchrl.collectors import Collector
from torchrl.data import LazyTensorStorage, ReplayBuffer
from torchrl.envs import GymEnv, check_env_specs
from torchrl.modules import MLP, EGreedyModule, QValueActor
from torchrl.objectives import DQNLoss, SoftUpdate
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def make(env_id: str) -> GymEnv:
    return GymEnv(env_id, categorical_action_encoding=True).auto_register_info_dict()


def train(env_id: str) -> None:
    torch.manual_seed(0)
    env = make(env_id)
    check_env_specs(env)
    actions = env.action_spec.space.n
    net = MLP(in_features=env.observation_spec["observation"].shape[-1], out_features=actions, num_cells=[32])
    actor = QValueActor(net, in_keys=["observation"], spec=env.action_spec)
    explore = EGreedyModule(env.action_spec, eps_init=0.3, eps_end=0.1, annealing_num_steps=400)
    loss = DQNLoss(actor, action_space=env.action_spec, delay_value=True)
    updater, optimizer = SoftUpdate(loss, eps=0.99), torch.optim.Adam(loss.parameters())
    replay = ReplayBuffer(storage=LazyTensorStorage(1000), batch_size=32)
    collector = Collector(env, TensorDictSequential(actor, explore), frames_per_batch=50, total_frames=400)
    before = fingerprint(net)
    for batch in collector:
        assert batch["next", "utility"].isfinite().all()
        replay.extend(batch.reshape(-1))
        value = loss(replay.sample())["loss"]
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        updater.step()
    assert fingerprint(net) != before
    collector.shutdown()


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
