"""All that changes in an agent of Stable-Baselines3, as builtin types and arrays: learning goes on bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.save_util import recursive_getattr
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper
from torch import nn

from agents.acting import UNCHANGING, pack_env, unpack_env, wrappers_of
from agents.packing import Arrays, UnstorableError, pack, part_of, unpack, with_prefix
from agents.protocols import AnyEnv
from agents.random_streams import RandomStreams
from agents.replay import ReplayBuffer
from agents.vec_env import GymnasiumVecEnv

PAGE = "docs/bring-your-own.md"
"""Which exdatas what an agent of one's own needs."""

_APART = frozenset(
    (
        *("policy", "env", "_vec_normalize_env", "replay_buffer", "rollout_buffer", "_logger", "start_time"),
        *("_last_obs", "_last_episode_starts", "_last_original_obs"),
        *("policy_kwargs", "learning_rate", "train_freq", "action_noise", "lr_schedule", "clip_range"),
        *("activation_fn", "net_args", "features_extractor_kwargs", "optimizer_kwargs"),
    )
)
"""Attributes of an agent or its policy that are looked at apart, begin again, or are given again by what makes it."""


def take_state(agent: OffPolicyAlgorithm, streams: RandomStreams, replay: bool = True) -> tuple[dict[str, Any], Arrays]:
    """Everything of an agent that learning changes: builtin types, and arrays by name.

    Networks, optimizers, counters and other attributes, random states; with `replay` the replay buffer and the
    environment it acts in, too.

    Args:
        agent: of Stable-Baselines3, or made in its manner.
        streams: the agent's.
        replay: leave out what an agent does not need whose buffer is emptied, and whose environment is new, before it
            learns on.

    Raises:
        ValueError: it has a part that cannot be stored; the message names it and the hook to write.
    """
    arrays: Arrays = {}
    data: dict[str, Any] = {"attributes": _pack_attributes(agent, arrays)}
    data["learned"] = {
        name: pack(part, f"learned.{name}", arrays)
        for name, part in {**learned_parts(agent), **torch_variables(agent)}.items()
    }
    if isinstance(agent.replay_buffer, ReplayBuffer):
        data["generator"] = pack(agent.replay_buffer.generator, "generator", arrays)
    if replay:
        data["replay"] = _pack_replay(agent, arrays)
        data["acting"] = _pack_acting(agent, arrays)
    data["streams"] = pack(streams.state(), "streams", arrays)
    data["action_space"] = pack(agent.action_space.np_random, "action_space", arrays)
    return data, arrays


def learned_arrays(agent: OffPolicyAlgorithm) -> Arrays:
    """Networks, optimizers and replay buffer as arrays by name."""
    arrays: Arrays = {}
    for name, part in {**learned_parts(agent), **torch_variables(agent)}.items():
        pack(part, f"learned.{name}", arrays)
    _pack_replay(agent, arrays)
    return arrays


def put_state(
    agent: OffPolicyAlgorithm, streams: RandomStreams, data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Make an agent of the same configuration what `take_state` described.

    Raises:
        ValueError: the agent is not of the same configuration.
    """
    for name, part in {**learned_parts(agent), **torch_variables(agent)}.items():
        unpack(data["learned"][name], arrays, part)
    attributes = dict(data["attributes"])
    if "get_extra_state()" in attributes:
        agent.set_extra_state(unpack(attributes.pop("get_extra_state()"), arrays))  # type: ignore[attr-defined]
    for path, owner in _owners(agent):
        own = {
            name.removeprefix(path): each for name, each in attributes.items() if name.rpartition(".")[0] == path[:-1]
        }
        for name, packed in own.items():
            setattr(owner, name, unpack(packed, arrays, vars(owner).get(name)))
    if isinstance(agent.replay_buffer, ReplayBuffer):
        unpack(data["generator"], arrays, agent.replay_buffer.generator)
    if "replay" in data:
        _unpack_replay(agent, data["replay"], arrays)
        _unpack_acting(agent, data["acting"], arrays)
    unpack(data["action_space"], arrays, agent.action_space.np_random)
    streams.restore(unpack(data["streams"], arrays))  # last: making an agent seeds the global generators


def check_storable(agent: OffPolicyAlgorithm) -> None:
    """Refuse an agent of which no checkpoint can hold everything.

    Raises:
        ValueError: the message names the attribute and the hook to write.
    """
    arrays: Arrays = {}
    _pack_attributes(agent, arrays)
    _pack_replay(agent, arrays)


def _pack_attributes(agent: OffPolicyAlgorithm, arrays: Arrays) -> dict[str, Any]:
    """Attributes that are builtin types, arrays or the like; what an agent's own hook gives stands for all others.

    Those of the policy, and of networks in it that are not PyTorch's or Stable-Baselines3's, have its name before them.
    """
    parts = learned_parts(agent)
    known = {id(each) for part in parts.values() if isinstance(part, nn.Module) for each in part.modules()}
    known |= {id(part) for part in parts.values()}
    saved = {name.split(".")[0] for name in (*parts, *torch_variables(agent))}
    hook = hasattr(agent, "get_extra_state") and hasattr(agent, "set_extra_state")
    packed = {"get_extra_state()": pack(agent.get_extra_state(), "extra_state", arrays)} if hook else {}  # type: ignore[attr-defined]
    for path, owner in _owners(agent):
        for name, part in vars(owner).items():
            skipped = name in _APART or (owner is agent and name in saved) or id(part) in known
            if skipped or isinstance(part, UNCHANGING) or (owner is not agent and name.startswith("_")):
                continue
            own: Arrays = {}
            try:
                packed[f"{path}{name}"] = pack(part, f"attribute.{path}{name}", own)
            except UnstorableError as error:
                if hook:
                    continue
                where = error.path.removeprefix("attribute.")
                raise ValueError(
                    f"agent: {type(agent).__name__}.{where} is a {type(error.part).__name__}, neither number, text, "
                    "array nor tensor, so no checkpoint can hold it; write get_extra_state() and "
                    f"set_extra_state(state) for it ({PAGE})"
                ) from None
            arrays |= own
    return packed


def _owners(agent: OffPolicyAlgorithm) -> list[tuple[str, Any]]:
    """An agent, its policy and networks of others in it, with the path to their attributes."""
    networks = [
        (f"policy.{name}.", network)
        for name, network in agent.policy.named_modules()
        if name and not type(network).__module__.startswith(("torch.", "stable_baselines3.", "sb3_contrib."))
    ]
    return [("", agent), ("policy.", agent.policy), *networks]


def learned_parts(agent: BaseAlgorithm) -> dict[str, Any]:
    """Networks and optimizers by name: those an agent saves, and others that it or its policy holds.

    A class may forget to name its optimizer for its file, without which it would not go on as it was.
    """
    parts = {name: recursive_getattr(agent, name) for name in agent._get_torch_save_params()[0]}
    parts = {name: getattr(part, "_orig_mod", part) for name, part in parts.items()}  # where it was compiled
    known = {id(part) for part in parts.values()}
    known |= {id(each) for part in parts.values() if isinstance(part, nn.Module) for each in part.modules()}
    for prefix, owner in (("policy.", agent.policy), ("", agent)):
        for name, part in vars(owner).items():
            if isinstance(part, nn.Module | torch.optim.Optimizer) and id(part) not in known:
                parts[f"{prefix}{name}"] = part
    return parts


def torch_variables(agent: BaseAlgorithm) -> dict[str, torch.Tensor]:
    """Learned tensors that stand alone, by name."""
    return {name: recursive_getattr(agent, name) for name in agent._get_torch_save_params()[1]}


def _pack_replay(agent: OffPolicyAlgorithm, arrays: Arrays) -> Any:
    buffer = agent.replay_buffer
    assert buffer is not None
    if isinstance(buffer, ReplayBuffer):
        arrays |= with_prefix(buffer.state(), "replay.")
        return None
    changing = {name: part for name, part in vars(buffer).items() if not isinstance(part, UNCHANGING)}
    try:
        return pack(changing, "replay", arrays)
    except UnstorableError as error:
        raise ValueError(f"agent.replay_buffer: its {error}; allowed is agents.replay.ReplayBuffer") from None


def _unpack_replay(agent: OffPolicyAlgorithm, packed: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    buffer = agent.replay_buffer
    if isinstance(buffer, ReplayBuffer):
        buffer.restore(part_of(arrays, "replay."))
    else:
        own = vars(buffer)
        own.update({name: unpack(each, arrays, own.get(name)) for name, each in packed["items"]})


def _pack_acting(agent: OffPolicyAlgorithm, arrays: Arrays) -> Any:
    """The environment an agent acts in, and what it saw last; None if it has not acted."""
    if agent._last_obs is None:
        return None
    assert agent.env is not None
    seen = {name: getattr(agent, name) for name in ("_last_obs", "_last_episode_starts", "_last_original_obs")}
    packed = {"seen": pack(seen, "acting.seen", arrays)}
    infos: Any = agent.env.unwrapped.reset_infos
    if agent.n_envs > 1:  # an array a cell and key would be thousands
        infos = {key: np.stack([info[key] for info in infos]) for key in infos[0]}
    packed["reset_infos"] = pack(infos, "acting.reset_infos", arrays)
    return packed | pack_env(_wrappers(agent), _innermost(agent), arrays)


def _unpack_acting(agent: OffPolicyAlgorithm, packed: Any, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    if packed is None:
        return
    assert agent.env is not None
    agent.env.reset()  # uses up its seeds, as the first one did
    seen = unpack(packed["seen"], arrays)
    vars(agent).update(seen)
    infos = unpack(packed["reset_infos"], arrays)
    if agent.n_envs > 1:
        infos = [{key: values[cell] for key, values in infos.items()} for cell in range(agent.n_envs)]
    agent.env.unwrapped.reset_infos = infos
    unpack_env(packed, arrays, _wrappers(agent), _innermost(agent))


def _wrappers(agent: OffPolicyAlgorithm) -> list[object]:
    """The wrappers around the environment an agent acts in, outermost first."""
    found: list[object] = []
    batch: Any = agent.env
    while isinstance(batch, VecEnvWrapper):
        found.append(batch)
        batch = batch.venv
    return [*found, *wrappers_of(_acted_in(batch))]


def _acted_in(batch: VecEnv | None) -> AnyEnv:
    """The scalar environment, or the batch of Gymnasium, that a batch of Stable-Baselines3 stands for."""
    if isinstance(batch, GymnasiumVecEnv):
        return batch.envs
    if not isinstance(batch, DummyVecEnv) or batch.num_envs != 1:
        raise TypeError(
            f"env: a {type(batch).__name__} given, allowed for a checkpoint are one scalar environment and a batch of "
            "Gymnasium"
        )
    return batch.envs[0]


def _innermost(agent: OffPolicyAlgorithm) -> AnyEnv:
    """The environment that an agent acts in, without its wrappers."""
    assert agent.env is not None
    batch: Any = agent.env.unwrapped
    return _acted_in(batch).unwrapped
