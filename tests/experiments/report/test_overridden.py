"""What the algorithms override of the agent's settings, by short runs with each of them changed."""

from __future__ import annotations

from inspect import getclosurevars

import pytest
from omegaconf import OmegaConf

from experiments.offline.__main__ import prepare as prepare_offline
from experiments.report.configuration import flattened
from experiments.report.in_force import not_in_force
from experiments.train.__main__ import prepare as prepare_train
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import composed, raw

AGENT = ["agent=ddqn", "agent.head=dense", "agent.net_arch=[8]", "agent.target_update_interval=10"]
CELL = [
    *("scenario=paper-1mhz", "scenario.name=coarse", "scenario.radio.resolution_hz=4e6", "reward=utility"),
    *("scenario.radio.slots_per_interval=40", "scenario.decisions_per_episode=10", "decisions=80", "progress=false"),
]
TWIN = [
    *("twin=lstm", "twin.training.max_epochs=1", "twin.transition.members=1", "twin.performance.members=1"),
    *("algorithm.num_envs=8", "algorithm.twin_decisions=160", "algorithm.agent_2.learning_starts=40"),
    *("algorithm.agent_2.target_update_interval=40", "algorithm.selection_cells=2", "algorithm.selection_decisions=2"),
    *("agent.twin_gradient_steps=1",),
]
OFFLINE = ["history=random", "algorithm.epochs=3", "algorithm.agent.batch_size=16"]
ONLINE = [
    *("algorithm.collect=20", "algorithm.fine_tune=20", "algorithm.later_twin_decisions=80", "agent.batch_size=8"),
    *("algorithm.select_in_twin=false", "algorithm.agent_1.learning_rate=0.01", "algorithm.warm_replay=0"),
]
KINDS = {
    "train": ("train", [*AGENT, *CELL, *TWIN, *ONLINE]),
    "offline": ("offline", [*AGENT, *CELL, *OFFLINE, "twin=none"]),
    "offline-twin": ("offline", [*AGENT, *CELL, *OFFLINE, *TWIN]),
}
CHANGES = {
    "learning_rate": 0.01,
    "learning_rate_end": 0.0005,
    "buffer_size": 90,
    "learning_starts": 30,
    "batch_size": 9,
    "gamma": 0.5,
    "train_freq": 2,
    "gradient_steps": 2,
    "twin_gradient_steps": 2,
    "target_update_interval": 7,
    "exploration_fraction": 0.9,
    "exploration_initial_eps": 0.1,
    "exploration_final_eps": 0.3,
    "center_rewards": "false",
}


def learned(command, overrides, folder):
    """The weights that a short run ends with; nothing is evaluated or drawn."""
    prepare = prepare_train if command == "train" else prepare_offline
    made = getclosurevars(prepare(composed(command, *overrides), folder)).nonlocals
    training = made["trainings"][0] if command == "train" else made["training"]
    training.algorithm.run()
    return {name: part.numpy().tobytes() for name, part in training.algorithm.agent.model.policy.state_dict().items()}


@pytest.mark.slow  # a run for each setting that counts
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_to_be_overridden_changes_nothing_and_all_else_does(kind, tmp_path):
    command, overrides = KINDS[kind]
    before = learned(command, overrides, tmp_path)
    values = flattened(OmegaConf.to_container(raw(command, *overrides), resolve=False))
    values |= {"agent": "ddqn", "head": "dense", "twin": "none" if "twin=none" in overrides else "lstm"}
    said = {key.removeprefix("agent.") for key in not_in_force(command, values)} & CHANGES.keys()
    together = [f"agent.{name}={CHANGES[name]}" for name in sorted(said)]
    assert learned(command, [*overrides, *together], tmp_path) == before
    for name in CHANGES.keys() - said:
        if command == "train" and name == "buffer_size":
            continue  # all decisions have to fit, so that no size that is allowed changes anything
        assert learned(command, [*overrides, f"agent.{name}={CHANGES[name]}"], tmp_path) != before, name
