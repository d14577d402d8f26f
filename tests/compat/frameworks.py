"""The frameworks that drive the environments, with the versions that were tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent / "programs"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENVIRONMENT_IDS = ("SliceRAN-v0", "SliceTwin-v0")


@dataclass(frozen=True)
class Framework:
    """What is installed, and what takes an environment.

    Args:
        name: as its authors write it.
        module: that is imported where it is installed; its program is called after it.
        packages: as pip takes them, the framework's own first.
        line: of code that gives it an environment.
        example: file in `examples/` that runs on it, too.
        recorded: whether it learns from decisions that were recorded in the environment, not in the environment itself.
        alone: whether the first package is installed without what it depends on, which `packages` then names.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    line: str
    example: str = ""
    recorded: bool = False
    alone: bool = False

    @property
    def program(self) -> Path:
        """What trains in each environment whose id it is given."""
        return PROGRAMS / f"with_{self.module}.py"

    @property
    def commands(self) -> list[list[str]]:
        """What is run: the program, and an example of few decisions."""
        example = [[str(EXAMPLES / self.example), "100"]] if self.example else []
        return [[str(self.program), *ENVIRONMENT_IDS], *example]

    @property
    def version(self) -> str:
        """Of the framework."""
        return self.packages[0].partition("==")[2]

    @property
    def distribution(self) -> str:
        """Name on the index of the framework, or of what a loop without a package of its own is written in."""
        return self.packages[0].partition("==")[0].partition("[")[0]


_TORCH = "torch==2.13.0"

FRAMEWORKS = (
    Framework(
        "Stable-Baselines3",
        "stable_baselines3",
        ("stable-baselines3==2.9.2", _TORCH),
        'DQN("MlpPolicy", make_vec_env(env_id, n_envs=2))',
    ),
    Framework("sb3-contrib", "sb3_contrib", ("sb3-contrib==2.9.2", _TORCH), 'QRDQN("MlpPolicy", env_id)'),
    Framework(
        "rl-zoo3",
        "rl_zoo3",
        ("rl-zoo3==2.9.2", _TORCH),
        "python -m rl_zoo3.train --algo dqn --env SliceRAN-v0 --gym-packages slicing_gym twin",
    ),
    Framework("CleanRL's loop", "torch", (_TORCH,), "gym.make_vec(env_id, num_envs=4)"),
    Framework(
        "Tianshou",
        "tianshou",
        ("tianshou==2.0.1", _TORCH),
        "DummyVectorEnv([lambda: gym.make(env_id) for _ in range(2)])",
    ),
    Framework(
        "TorchRL",
        "torchrl",
        ("torchrl==0.14.1", _TORCH),
        "GymEnv(env_id).auto_register_info_dict()",
        example="torchrl_loop.py",
    ),
    Framework(
        "RLlib",
        "ray",
        ("ray[rllib]==2.60.0", _TORCH),
        'config.environment("slicing_gym:SliceRAN-v0", env_config={"reward": "utility"})',
    ),
    Framework("AgileRL", "agilerl", ("agilerl==2.58.0", "peft==0.21.2", _TORCH), "gym.make_vec(env_id, num_envs=2)"),
    Framework(
        "skrl", "skrl", ("skrl==2.1.1", _TORCH), 'wrap_env(gym.make_vec(env_id, num_envs=2), wrapper="gymnasium")'
    ),
    Framework(
        "PufferLib's emulation",
        "pufferlib",
        ("pufferlib==1.0.1", "setuptools", "wheel", "Cython", "gym==0.23", "pettingzoo", "shimmy", "psutil", _TORCH),
        "GymnasiumPufferEnv(env_creator=lambda: gym.make(env_id))",
        alone=True,
    ),
    Framework(
        "d3rlpy",
        "d3rlpy",
        (
            "d3rlpy==2.8.1",
            "minari[hdf5]==0.5.4",
            *(
                "click",
                "colorama",
                "dataclasses-json",
                "gym==0.26.2",
                "pillow",
                "scikit-learn",
                "structlog",
                "tqdm",
                _TORCH,
            ),
        ),
        "MDPDataset(*columns(minari.load_dataset(dataset_id)))",
        recorded=True,
        alone=True,
    ),
)


def named(names: Sequence[str]) -> list[Framework]:
    """The frameworks whose modules have these names; all, where none is given.

    Raises:
        ValueError: there is no such framework.
    """
    known = {each.module: each for each in FRAMEWORKS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"framework: {', '.join(unknown)} given, allowed are {', '.join(known)}")
    return [known[name] for name in names] if names else list(FRAMEWORKS)
