"""Small runs of every kind that can go on after it was interrupted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from slicing_gym import Scenario, get_scenario

OWN_AGENT = '''
from stable_baselines3 import DQN

class Own(DQN):
    """Counts its updates and moves its target network a little after each."""

    def __init__(self, *args, share=0.01, **arguments):
        super().__init__(*args, **arguments)
        self.share, self.updates = share, 0

    def train(self, gradient_steps, batch_size=100):
        super().train(gradient_steps, batch_size)
        self.updates += gradient_steps
        for own, other in zip(self.q_net.parameters(), self.q_net_target.parameters(), strict=True):
            other.data.lerp_(own.data, self.share)
'''
OWN_CONFIG = "defaults: [custom]\nname: own\n_target_: own_agent.Own\nnet_arch: [64, 64]\nkwargs: {share: 0.02}\n"
"""A class of a user, and the file in a folder `agent` that names it."""


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Args:
        module: of its command.
        arguments: as typed; `{folder}` stands for where scenario, agent and teacher are.
        again: what has to be typed after `resume=<folder>` where that goes on with it; None: nothing does.
    """

    module: str
    arguments: tuple[str, ...]
    again: tuple[str, ...] | None = None


_USUAL = (
    "scenario={folder}/small.yaml", "progress=false", "resume=auto", "checkpoint_s=0.02",
    "evaluation.policies=[random]", "evaluation.seeds=[100]", "evaluation.decisions=5",
)  # fmt: skip
_ALONE = ("twin=none", "decisions=60", "agent.learning_starts=20", "agent.batch_size=8", "agent.net_arch=[8]")
_PAIR = ("algorithm.num_envs=8", "algorithm.selection_cells=4", "algorithm.selection_decisions=5")
_FIT = ("twin.transition.members=1", "twin.performance.members=2", "twin.training.max_epochs=2")
_TWIN = (
    *_PAIR, *_FIT, "decisions=50", "agent.batch_size=8", "algorithm.collect=20", "algorithm.fine_tune=15",
    "algorithm.twin_decisions=160", "algorithm.later_twin_decisions=80", "algorithm.agent_2.learning_starts=40",
    "agent.net_arch=[8]", "agent.twin_gradient_steps=1",
)  # fmt: skip
_CALIBRATED = (*_TWIN, "algorithm.refit=false", "decisions=198", "algorithm.collect=70", "algorithm.fine_tune=64")
_OFFLINE = ("history=random", "decisions=60", "algorithm.epochs=4", "estimate.epochs=2", "agent.net_arch=[8]")
_OFFLINE_TWIN = (*_PAIR, *_FIT, "algorithm.twin_decisions=160", "algorithm.agent_2.learning_starts=40")


def _train(*arguments: str) -> Kind:
    return Kind("experiments.train", (*arguments, *_USUAL), ())


def _offline(*arguments: str) -> Kind:
    return Kind("experiments.offline", (*_OFFLINE, *arguments, *_USUAL))


KINDS = {
    "dqn": _train("agent=dqn", *_ALONE),
    "ddqn": _train("agent=ddqn", "agent.head=geometry", *_ALONE),
    "ddqn-factored": _train("agent=ddqn", *_ALONE),
    "gan_ddqn": _train("agent=gan_ddqn", *_ALONE),
    "sb3_dqn": _train("agent=sb3_dqn", *_ALONE),
    "sb3_qrdqn": _train("agent=sb3_qrdqn", *_ALONE),
    "batch": _train("agent=ddqn", "num_envs=4", *_ALONE),
    "planner": _train("agent=planner", "twin=none", "decisions=60"),
    "dqn-lstm": _train("agent=dqn", "twin=lstm", "agent.head=dense", *_TWIN),
    "ddqn-lstm": _train("agent=ddqn", "twin=lstm", *_TWIN),
    "gan_ddqn-lstm": _train("agent=gan_ddqn", "twin=lstm", "algorithm.collect_by=random", *_TWIN),
    "sb3_qrdqn-lstm": _train("agent=sb3_qrdqn", "twin=lstm", *_TWIN),
    "ddqn-transformer": _train("agent=ddqn", "twin=transformer", *_CALIBRATED),
    "three": _train("agent=ddqn", "twin=lstm", "without_twin=true", "with_planner=true", *_TWIN),
    "own-lstm": replace(
        _train("--config-dir", "{folder}", "agent=own", "imports=[own_agent]", "twin=lstm", *_TWIN),
        again=("--config-dir", "{folder}", "imports=[own_agent]"),
    ),
    "offline": _offline("agent=ddqn", "twin=none"),
    "offline-lstm": _offline("agent=gan_ddqn", "twin=lstm", *_OFFLINE_TWIN),
    "distilled": Kind(
        "experiments.distill",
        (
            "teacher={folder}/teacher", "hidden=[4,8]", "updates=60", "progress=false", "resume=auto",
            "evaluation.seeds=[100]", "evaluation.decisions=5",
        ),
    ),
}  # fmt: skip
"""Short runs by name: every learner, without a twin and with one, learning from a history, students."""

TEACHER = "ddqn-factored"
"""The kind of run in the folder `teacher`."""


def write_parts(folder: Path) -> None:
    """Write the scenario and the class that runs name: of short intervals and episodes."""
    small = get_scenario("paper-1mhz")
    radio = replace(small.radio, slots_per_interval=40, resolution_hz=2e6)
    small = replace(small, radio=radio, decisions_per_episode=20)
    (folder / "small.yaml").write_text(yaml.safe_dump(small.to_dict(), sort_keys=False))
    (folder / "agent").mkdir()
    (folder / "agent" / "own.yaml").write_text(OWN_CONFIG)
    (folder / "own_agent.py").write_text(OWN_AGENT)


def warm_up(folder: str) -> None:
    """Import and compile what these runs need: the commands, and one of the runs as a library."""
    for name in ("distill", "offline", "train"):
        import_module(f"experiments.{name}.__main__")
    from agents import DDQN

    library = import_module("experiments.train")

    def make(env: Any, role: str) -> DDQN:
        del role
        network = {"net_arch": [8], "head": "factored"}
        return DDQN("MlpPolicy", env, learning_starts=8, batch_size=8, seed=0, device="cpu", policy_kwargs=network)

    small = Scenario.from_dict(yaml.safe_load((Path(folder) / "small.yaml").read_text()))
    training = library.Algorithm1Settings(
        collect=8, fine_tune=8, twin_decisions=16, later_twin_decisions=16, num_envs=4, selection_cells=4
    )
    evaluation = library.EvaluationSettings(policies=["random"], seeds=[100], decisions=2)
    settings = library.Settings(decisions=16, progress=False, algorithm=training, evaluation=evaluation)
    library.train(make, small, "lstm", settings, Path(folder) / "warm")
