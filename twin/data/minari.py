"""Histories as Minari data sets, for the tools of offline reinforcement learning, and back (extra `minari`)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from slicing_gym import SCENARIOS, Scenario, get_scenario
from slicing_gym.errors import check_instance
from slicing_gym.reward import utility
from slicing_gym.space_spec import SpaceSpec
from twin.data.columns import ARRIVALS, PERFORMANCE, Column
from twin.data.history import History
from twin.data.layout import Layout
from twin.data.recorder import BLOCKED, QUEUED

LAYOUT_KEY = "slicing_gym_layout"
"""Where a data set's metadata holds what its history measures."""

_SIMULATED = {column.name for column in (*PERFORMANCE, QUEUED, BLOCKED)}
"""What a history of `SliceRAN-v0` may have measured."""


def to_minari(history: History, dataset_id: str, **metadata: Any) -> Any:
    """Write a history as a Minari data set.

    A sequence without a gap is an episode, truncated at its end. Observations and actions are those of `SliceRAN-v0`,
    rewards the utility. The infos hold, as Minari has it, one row more than there are decisions; row t holds what was
    known when decision t was due, as the environment's `info` does: `arrivals`, `allocation`, `utility`, the
    performance and the controls of decision t - 1, and `run` and `interval` of decision t. In row 0 only arrivals, run
    and interval are known; performance is NaN there, and units and controls are 0.

    The data set notes down how to make its environment again (`dataset.recover_environment()`): the scenario by its
    name, or in full where no preset is it. A history that measured what `SliceRAN-v0` does not is of another network,
    which no environment stands for: there is none then, unless `env=` is given.

    Args:
        history: it must have measured what the reward is made of.
        dataset_id: "name-v0" or "namespace/name-v0"; Minari keeps data sets in ~/.minari, or MINARI_DATASETS_PATH.
        **metadata: further arguments of `minari.create_dataset_from_buffers`, such as author; `env` takes
            the place of the environment described above, None is for none.

    Returns:
        The `minari.MinariDataset`.

    Raises:
        ImportError: Minari is not installed.
        ValueError: the history has no utility, there is such a data set, or the id is malformed.
    """
    minari = _minari()
    _check_id(minari, dataset_id)
    spaces = SpaceSpec(history.scenario)
    arrays = _arrays(history)
    episodes = []
    for number, block in enumerate(history.sequences()):
        length = block.stop - block.start
        arrivals = np.concatenate([history.arrivals[block], history.next_arrivals[block.stop - 1][None]])
        infos = {name: _after_nothing(values[block]) for name, values in arrays.items()}
        infos |= {
            "arrivals": arrivals,
            "run": np.full(length + 1, history.run[block.start]),
            "interval": history.interval[block.start] + np.arange(length + 1),
        }
        episodes.append(
            minari.data_collector.EpisodeBuffer(
                id=number,
                observations=spaces.observe(arrivals),
                actions=history.layout.codec.index(history.scenario, history.allocation[block]),
                rewards=arrays["utility"][block],
                terminations=np.zeros(length, np.bool_),
                truncations=np.arange(length) == length - 1,
                infos=infos,
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Minari asks for authors and links, which are for who publishes
        dataset = minari.create_dataset_from_buffers(
            dataset_id,
            episodes,
            observation_space=spaces.observation_space,
            action_space=spaces.action_space,
            **{"env": _environment(history), **metadata},
        )
    dataset.storage.update_metadata({LAYOUT_KEY: json.dumps(history.layout.to_dict())})
    return dataset


def from_minari(
    dataset: Any, scenario: str | Scenario | None = None, columns: Sequence[Column] | None = None
) -> History:
    """The history in a Minari data set: one that `to_minari` wrote, or that was collected in `SliceRAN-v0` with infos.

    Of the latter every episode is a run.

    Args:
        dataset: a `minari.MinariDataset`, or the id of one on this machine.
        scenario: of the network; None: the one that `to_minari` noted down.
        columns: to be read from the infos; None: those noted down, or else SSR and spectral efficiency.

    Raises:
        ImportError: Minari is not installed.
        TypeError: `dataset` is none.
        ValueError: the data set is of another scenario, its infos lack something, or it has no episodes.
    """
    minari = _minari()
    if isinstance(dataset, str):
        dataset = minari.load_dataset(dataset)
    check_instance("dataset", dataset, (minari.MinariDataset,))
    layout = _layout(dataset, scenario, columns)
    noted = LAYOUT_KEY in dataset.storage.metadata
    spaces = SpaceSpec(layout.scenario)
    for name in ("observation_space", "action_space"):
        found, wanted = getattr(dataset, name), getattr(spaces, name)
        if found != wanted:
            raise ValueError(
                f"scenario: {layout.scenario.name!r} given, its {name} is {wanted}, "
                f"but that of the data set {dataset.id!r} is {found}"
            )
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for number, episode in enumerate(dataset.iterate_episodes()):
        where = f"data set {dataset.id!r}, episode {episode.id}"
        for name, values in _decisions(episode, spaces, layout, where, None if noted else number).items():
            parts.setdefault(name, []).append(values)
    if not parts:
        raise ValueError(f"dataset: {dataset.id!r} has no episodes, allowed are one or more")
    arrays = {name: np.concatenate(values) for name, values in parts.items()}
    order = np.lexsort((arrays["interval"], arrays["run"]))
    arrays = {name: values[order] for name, values in arrays.items()}
    return History(
        **vars(layout),
        run=arrays["run"],
        interval=arrays["interval"],
        allocation=arrays["allocation"],
        arrivals=arrays["arrivals"],
        next_arrivals=arrays["next_arrivals"],
        performance={column.name: arrays[column.name] for column in layout.columns},
        controls={control.name: arrays[control.name] for control in layout.control_columns},
    )


def _decisions(
    episode: Any, spaces: SpaceSpec, layout: Layout, where: str, run: int | None
) -> dict[str, npt.NDArray[Any]]:
    """The decisions of an episode, by column; it is the given run, or that which its infos name."""
    infos: Mapping[str, Any] = episode.infos or {}
    length = len(episode.rewards)
    named = ("run", "interval") if run is None else ()
    performance = [column.name for column in layout.columns] + [control.name for control in layout.control_columns]
    for key in ("arrivals", *named, *performance):
        if key not in infos:
            raise ValueError(
                f"infos: {key!r} missing in {where}, which has {', '.join(infos) or 'none'}; "
                "collect data with record_infos=True"
            )
        if len(infos[key]) != length + 1:
            raise ValueError(
                f"infos: {len(infos[key])} rows of {key!r} in {where}, allowed are {length + 1}, "
                "one more than there are decisions"
            )
    arrivals = np.asarray(infos["arrivals"])
    allocation = layout.codec.units(layout.scenario, np.asarray(episode.actions))
    if "allocation" in infos and not np.array_equal(np.asarray(infos["allocation"])[1:], allocation):
        raise ValueError(f"infos: 'allocation' in {where} is not what the actions mean in {layout.scenario.name!r}")
    if not np.allclose(spaces.observe(arrivals), episode.observations, rtol=1e-6, atol=0.0):
        raise ValueError(
            f"observations: in {where} they are not what {layout.scenario.name!r} makes of the arrivals in its infos"
        )
    return {
        "run": np.full(length, run) if run is not None else np.asarray(infos["run"])[:-1],
        "interval": np.arange(length) if run is not None else np.asarray(infos["interval"])[:-1],
        "allocation": allocation,
        "arrivals": arrivals[:-1],
        "next_arrivals": arrivals[1:],
        **{key: np.asarray(infos[key])[1:] for key in performance},
    }


def _layout(dataset: Any, scenario: str | Scenario | None, columns: Sequence[Column] | None) -> Layout:
    """What the history of a data set measures: what is noted there, or else what the arguments give."""
    text = dataset.storage.metadata.get(LAYOUT_KEY)
    if text is None:
        if scenario is None:
            raise ValueError(f"scenario: None given, but the data set {dataset.id!r} does not name it")
        return Layout(get_scenario(scenario), ARRIVALS, tuple(columns or PERFORMANCE))
    noted = Layout.from_dict(json.loads(text))
    layout = noted if scenario is None else replace(noted, scenario=get_scenario(scenario))
    noted.check_same("scenario", layout)
    return layout if columns is None else replace(layout, columns=tuple(columns))


def _arrays(history: History) -> dict[str, npt.NDArray[Any]]:
    """What an environment's info holds of each decision, and the controls."""
    worth = utility(history.scenario, history.spectral_efficiency, history.ssr)
    return {"allocation": history.allocation, "utility": worth, **history.performance, **history.controls}


def _after_nothing(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values (n, ...) of decisions as infos (n + 1, ...): before the first nothing is known."""
    unknown = np.nan if np.issubdtype(values.dtype, np.floating) else 0
    return np.concatenate([np.full((1, *values.shape[1:]), unknown, values.dtype), values])


def _environment(history: History) -> gym.envs.registration.EnvSpec | None:
    """What `dataset.recover_environment()` makes; None where the history is not one of `SliceRAN-v0`."""
    if history.control_columns or not {column.name for column in history.columns} <= _SIMULATED:
        return None
    scenario = replace(history.scenario, reward=replace(history.scenario.reward, kind="utility"))
    presets = {name: get_scenario(name) for name in SCENARIOS}
    names = [
        name
        for name, preset in presets.items()
        if replace(preset, reward=replace(preset.reward, kind="utility")) == scenario
    ]
    return replace(
        gym.spec("SliceRAN-v0"),
        kwargs={"scenario": names[0] if names else scenario.to_dict(), "reward": "utility"},
        max_episode_steps=scenario.decisions_per_episode,  # as the environment itself does; some loaders ask for it
    )


def _check_id(minari: Any, dataset_id: str) -> None:
    """Refuse a malformed id before Minari has made its folder."""
    try:
        minari.dataset.minari_dataset.parse_dataset_id(dataset_id)
    except (ValueError, TypeError, gym.error.Error):  # the last is that of Minari 0.5.0
        raise ValueError(
            f"dataset_id: {dataset_id!r} given, allowed is 'name-v0' or 'namespace/name-v0' "
            "(letters, digits, - and _; two or more in a namespace)"
        ) from None


def _minari() -> Any:
    """The package, which few need."""
    try:
        import h5py  # noqa: F401  # Minari asks for it only when it writes
        import minari
    except ImportError as error:
        raise ImportError(
            f"Minari data sets need the extra `minari` (pip install 'slicing-gym[minari]'): {error}", name=error.name
        ) from error
    return minari
