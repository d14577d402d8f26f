"""`StudentPolicy`: a small network that chooses as a large agent does; `distill` teaches it (equation 12)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from agents.allocation_search import allocation_shares
from agents.dqn.factored import FactoredHead
from agents.dqn.heads import Head, make_head
from agents.dqn.networks import AllocationNetwork
from agents.log_actions import if_of_a_log
from agents.tensor_files import budget
from slicing_gym import Scenario, get_scenario
from slicing_gym.errors import check_integer, check_number, unknown_name
from slicing_gym.files import atomic_write, digest
from slicing_gym.reading import one_line
from slicing_gym.space_spec import SpaceSpec

FORMAT_VERSION = 1
"""Of the files `StudentPolicy.save` writes."""

TARGETS = ("argmax", "soft")
"""What a student learns: the teacher's choice, or its values of all allocations."""


class StudentPolicy(BasePolicy):
    """Two small hidden layers and a score per allocation; it takes the allocation of the highest score.

    A policy of Stable-Baselines3: `predict` is what its users know.

    Args:
        scenario: whose observations and allocations it has.
        hidden: neurons in each of the two hidden layers; the paper's are 4 and 16.
        head: "dense" (one output per allocation), "geometry" or "factored", see `agents.dqn.heads`.
        head_kwargs: arguments of the head.
        seed: of the first weights; None: they are drawn from torch's global generator.

    Attributes:
        center, scale: (n_slices,) by which observations are made about standard normal; `distill` sets them.

    Raises:
        ValueError, TypeError: an argument is not allowed; the message names it.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        scenario: str | Scenario,
        hidden: int = 16,
        head: str = "dense",
        head_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
    ) -> None:
        self.scenario = get_scenario(scenario)
        spec = SpaceSpec(self.scenario)
        super().__init__(spec.observation_space, spec.action_space)
        self.hidden = check_integer("hidden", hidden, at_least=1)
        self.head_name, self.head_kwargs = head, dict(head_kwargs or {})
        slices = self.scenario.num_slices
        self.register_buffer("center", torch.ones(slices))
        self.register_buffer("scale", torch.ones(slices))
        with torch.random.fork_rng(devices=[], enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            # Leaky: of four plain rectifiers all may fall silent, and the student then chooses one allocation for ever.
            self.layers = nn.Sequential(
                nn.Linear(slices, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()
            )
            self.head = make_head(head, hidden, self.observation_space, spec.action_space, head_kwargs)

    def forward(self, observations: Tensor) -> Tensor:
        """Scores (batch, num_actions) of observations (batch, n_slices)."""
        scores: Tensor = self.head(self.before_head(observations))
        return scores

    def _predict(self, observation: Any, deterministic: bool = False) -> Tensor:
        del deterministic
        return self.best(observation)

    def before_head(self, observations: Tensor) -> Tensor:
        """What the head sees (batch, hidden) of observations (batch, n_slices)."""
        hidden: Tensor = self.layers((observations.to(self.scale.dtype) - self.center) / self.scale)
        return hidden

    def best(self, observations: Tensor) -> Tensor:
        """The actions (batch,) of the highest scores for observations (batch, n_slices)."""
        return self.head.best(self.before_head(observations))

    def taken(self, observations: Tensor, actions: Tensor) -> Tensor:
        """Scores (batch,) of one action (batch,) in each observation (batch, n_slices)."""
        return self.head.taken(self.before_head(observations), actions)

    @property
    def is_factored(self) -> bool:
        """Whether its scores are sums of one term per slice."""
        return isinstance(self.head, FactoredHead)

    @property
    def num_parameters(self) -> int:
        """Number of learned parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file that runs no code when it is loaded (safetensors), atomically."""
        header = {
            "format": FORMAT_VERSION,
            "scenario": self.scenario.to_dict(),
            "head": self.head_name,
            "head_kwargs": self.head_kwargs,
        }
        tensors = {name: np.ascontiguousarray(tensor.cpu().numpy()) for name, tensor in self.state_dict().items()}
        whole = json.dumps({"sha256": digest(header, tensors), **header})
        with atomic_write(path) as file:
            file.write(to_bytes(tensors, {"student": whole}))

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "auto") -> StudentPolicy:
        """The student in a file that `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not hold a student, or is damaged; the message names it.
        """
        name = os.fspath(path)
        if not Path(name).is_file():
            raise FileNotFoundError(f"student: there is no file {name!r}")
        try:
            with safe_open(name, framework="numpy") as archive:
                metadata = archive.metadata() or {}
                if "student" not in metadata:
                    raise ValueError("it names no student")
                header = json.loads(metadata["student"])
                tensors = {key: archive.get_tensor(key) for key in archive.keys()}  # noqa: SIM118  # not a dict
            checksum, version = header.pop("sha256"), header["format"]
            if version != FORMAT_VERSION:
                raise ValueError(f"it has format {version!r}, allowed is {FORMAT_VERSION}")
            if checksum != digest(header, tensors):
                raise ValueError("its contents do not have the checksum that it names")
            scenario, hidden = Scenario.from_dict(header["scenario"]), len(tensors["layers.0.bias"])
            with budget(sum(array.size for array in tensors.values())):
                made = cls(scenario, hidden, header["head"], header["head_kwargs"], seed=0)
            made.load_state_dict({key: torch.as_tensor(array) for key, array in tensors.items()})
        except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"student: {name!r} is not a student's file, or is damaged ({one_line(error)})") from None
        return made.to("cpu" if device == "auto" else device)


def distill(
    student: StudentPolicy,
    teacher: Callable[[Tensor], Tensor] | npt.NDArray[np.int64],
    observations: npt.ArrayLike,
    generator: np.random.Generator,
    *,
    target: str = "argmax",
    temperature: float = 0.1,
    updates: int = 10_000,
    batch_size: int = 64,
    learning_rate: float = 1e-2,
    on_update: Callable[[int, float], object] | None = None,
) -> None:
    """Teach a student to choose as the teacher does (equation 12).

        L(theta) = mean over a batch of -sum_a p(a|s) log softmax(z(s; theta))_a

    z being the student's scores, and p all on the teacher's arg max, or with `target="soft"` softmax(Q(s, .) /
    temperature). Adam, its rate falling to 0 along a cosine.

    Args:
        student: is changed, on the device that it is on; the teacher and the states are on the CPU.
        teacher: gives values (batch, num_actions) of observations (batch, n_slices), as an agent's `q_net` does (which
            is not asked for all of them where it and the student have factored heads); or
            the actions (n,) that were taken in these states, as numbers of all allocations of the student's scenario,
            and what is learned is to do the same (behaviour cloning).
        observations: the states it learns on (n, n_slices), those of a history or of a twin.
        generator: draws the batches.
        target: one of `TARGETS`.
        temperature: of the teacher's values, in their unit (that of U); not used with "argmax".
        updates: the budget; the paper's is 10 000.
        batch_size: states in a batch, drawn with replacement.
        learning_rate: the first.
        on_update: is called with the number of the update and its loss.

    Raises:
        ValueError, TypeError: an argument is not allowed; the message names it.
    """
    if target not in TARGETS:
        raise ValueError(unknown_name("target", target, TARGETS))
    check_number("temperature", temperature, above=0.0)
    check_number("learning_rate", learning_rate, above=0.0)
    check_integer("updates", updates, at_least=1)
    check_integer("batch_size", batch_size, at_least=1)
    states = _checked_states(observations, student.scenario.num_slices)
    if isinstance(teacher, np.ndarray) and target == "soft":
        raise ValueError("target: 'soft' given, allowed for actions is 'argmax'; only a network values all allocations")
    student.center.copy_(states.mean(dim=0))
    student.scale.copy_(states.std(dim=0, correction=0).clamp_min(1e-3))
    best = _choices(teacher, states, student.scenario.num_allocations)
    device = student.device
    optimizer = torch.optim.Adam(student.parameters(), learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    for number in range(updates):
        rows = torch.as_tensor(generator.integers(len(states), size=batch_size))
        wanted = best[rows]
        if target == "soft" and not isinstance(teacher, np.ndarray):
            wanted = _softened(teacher, states[rows], temperature, student.head)
        loss = student.head.cross_entropy(student.before_head(states[rows].to(device)), wanted.to(device))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if on_update is not None:
            on_update(number, loss.item())


def _checked_states(observations: npt.ArrayLike, slices: int) -> Tensor:
    """Observations (n, n_slices), if they are such.

    Raises:
        ValueError: they are of another shape, or not finite.
    """
    states = torch.as_tensor(np.asarray(observations, np.float32))
    if states.ndim != 2 or states.shape[1] != slices or len(states) == 0:
        raise ValueError(f"observations: shape {tuple(states.shape)} given, allowed is (1 or more, {slices})")
    if not torch.isfinite(states).all():
        raise ValueError("observations: some are not finite")
    return states


def _choices(teacher: Callable[[Tensor], Tensor] | npt.NDArray[np.int64], states: Tensor, allowed: int) -> Tensor:
    """What the teacher chooses in states (n, n_slices), or the given actions: (n,).

    Raises:
        ValueError: they are not actions, or it values another number of allocations.
    """
    if isinstance(teacher, np.ndarray):
        return torch.as_tensor(_checked_actions(teacher, len(states), allowed))
    parts = torch.split(states, 1024)
    with torch.no_grad():
        if isinstance(teacher, AllocationNetwork):
            if teacher.action_space.n != allowed:
                of_log = if_of_a_log(int(teacher.action_space.n), allowed)
                raise ValueError(
                    f"teacher: it values {teacher.action_space.n} allocations, allowed are {allowed}{of_log}"
                )
            return torch.cat([teacher.best(part) for part in parts])
        values = [teacher(part) for part in parts]
    if values[0].ndim != 2 or values[0].shape[1] != allowed:
        shape = tuple(values[0].shape)
        of_log = if_of_a_log(shape[-1], allowed) if len(shape) == 2 else ""
        raise ValueError(f"teacher: its values have shape {shape}, allowed is (n, {allowed}){of_log}")
    return torch.cat([part.argmax(dim=1) for part in values])


@torch.no_grad()
def _softened(teacher: Callable[[Tensor], Tensor], states: Tensor, temperature: float, head: Head) -> Tensor:
    """Softmax(Q(s, .) / temperature) of a teacher in states (n, n_slices), as the student's head wants it.

    Where both value slices, only how probable it is that a slice holds so many units (n, n_slices, units) is needed,
    and no allocation is listed; else (n, num_actions).
    """
    theirs = teacher.head if isinstance(teacher, AllocationNetwork) else None
    if isinstance(head, FactoredHead) and isinstance(theirs, FactoredHead):
        return allocation_shares(teacher.slice_values(states) / temperature, head.num_units)[1]  # type: ignore[attr-defined]
    return torch.softmax(teacher(states) / temperature, dim=1)


def _checked_actions(actions: npt.NDArray[Any], number: int, allowed: int) -> npt.NDArray[np.int64]:
    """Actions (number,), if they are such.

    Raises:
        ValueError: they are of another shape or kind, or there are no such allocations.
    """
    fits = actions.shape == (number,) and np.issubdtype(actions.dtype, np.integer)
    if not fits or actions.min() < 0 or actions.max() >= allowed:
        raise ValueError(
            f"teacher: {actions.dtype} {actions.shape} given, allowed are {number} whole numbers below {allowed}"
        )
    return actions.astype(np.int64)
