"""Command lines: what a topic says of its own, how arguments are composed and checked; errors name the nearest key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Generic, TypeVar

from hydra import compose, initialize_config_dir
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.config.bounds import check_bounds
from experiments.config.files import CONFIG_FOLDER
from experiments.config.quoting import as_typed, joined, pieces, quoted, unquoted
from experiments.config.refusals import check_interpolations, named_by_file, named_by_omegaconf, why_refused
from slicing_gym import SCENARIOS, get_scenario
from slicing_gym.errors import shown
from slicing_gym.yaml_reading import read_yaml_mapping

_Settings = TypeVar("_Settings")


@dataclass(frozen=True)
class Command(Generic[_Settings]):
    """What a topic says of its command line.

    Args:
        name: of its file in `conf/`, and of its package.
        schema: types of its settings.
        prepare: checks the settings and what else is needed, and returns the work, which may take long. What it
            refuses ends the command with the message alone, no stack trace, and without a folder.
        lists: keys that may be typed as `key=a,b`; Hydra takes that for a sweep.
        renamed: keys that may be typed by another name, since Hydra means something else by it.
        rewrite: other changes of the arguments of a single run.
        how_to_go_on: what a stopped run says, if the work can be resumed.
        main_key: that a path is probably meant for which is typed without a key.
        check_seed: what of the checks depends on the seed; with it a sweep checks the rest once for all seeds.
    """

    name: str
    schema: type[_Settings]
    prepare: Callable[[_Settings, Path], Callable[[], object]]
    lists: Sequence[str] = ("imports",)
    renamed: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[list[str]], list[str]] = list
    how_to_go_on: Callable[[_Settings, Path], str] | None = None
    check_seed: Callable[[_Settings], object] | None = None
    main_key: str = ""

    def as_meant(self, typed: Sequence[str]) -> list[str]:
        """Arguments as typed, by the names that Hydra knows, and with lists where lists are meant.

        Raises:
            ValueError: two of them contradict each other, or one is a path without its key.
        """
        self._check_paths(typed)
        arguments = with_lists([_renamed(argument, self.renamed) for argument in typed], self.lists)
        return _with_typed_reward(arguments) if hasattr(self.schema, "reward") else arguments

    def _check_paths(self, typed: Sequence[str]) -> None:
        """Refuse a path without a key; the message has the one that it is probably meant for."""
        paths = [each for each in typed if "=" not in each and ("/" in each or os.path.exists(each))]
        # Hydra's own parser alone knows which words belong to its options, and offers it nowhere else.
        given = get_args_parser().parse_known_intermixed_args(typed)[0].overrides if paths and self.main_key else []
        for each in paths:
            if each in given and each[0] not in "+~":
                typed_as = as_typed(self.main_key, *([each] if os.path.exists(each) else each.split(",")))
                raise ValueError(f"{shown(each)} given without its key, allowed is <key>=<value>, as {typed_as}")


def register(name: str, schema: type) -> None:
    """Give Hydra the types of a command, and the presets as the group `scenario`: their one source is the package."""
    _hide_plugins()
    ConfigStore.instance().store(name=f"{name}_schema", node=schema)
    _store_presets()


@cache
def _store_presets() -> None:
    """Put the presets into Hydra's store, once; composing then copies what it takes from there, not the whole store."""
    store = ConfigStore.instance()
    # Copying all of it is a third of what composing takes. It is safe: `ConfigStore.load` copies each node that it
    # gives. The store is the process's, so that programs that call ours see it, too.
    vars(store)["__deepcopy__"] = lambda _: store
    for scenario in SCENARIOS:
        store.store(group="scenario", name=scenario, node=OmegaConf.create(get_scenario(scenario).to_dict()))


def _hide_plugins() -> None:
    """Make Hydra forget the launchers of its plugins that have a name of ours: it would merge ours with them."""
    Plugins.instance()  # each puts its own into the store
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    for path in Path(CONFIG_FOLDER, "hydra", "launcher").glob("*.yaml"):
        launchers.pop(path.name, None)


def settings_of(config: DictConfig, schema: type[_Settings]) -> _Settings:
    """A composed configuration as an instance of its schema, within its bounds.

    Raises:
        ValueError, TypeError: the message names the key, the value and what is allowed.
    """
    _check_given(config)
    with named_by_omegaconf():
        settings = OmegaConf.to_object(config)
    assert isinstance(settings, schema)
    check_bounds(settings)
    return settings


@contextmanager
def readable_errors() -> Iterator[None]:
    """Around checks: what they refuse ends the program with the message alone, no stack trace."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError) as error:  # what reads logs is an extra
        raise SystemExit(f"error: {error}") from None


def with_lists(arguments: Sequence[str], keys: Sequence[str]) -> list[str]:
    """Arguments in which `key=a,'b,c'` of some keys is a list, also with -m; Hydra would take it for a sweep.

    So is `key=[x=1,y=[2,3]]`, in which Hydra's grammar has no `=`.
    """
    listed = []
    for argument in arguments:
        key, equals, value = argument.partition("=")
        parts = _listed(value) if equals and key in keys else []
        each = (part if _is_quoted(part) else quoted(part, interpolate=True) for part in parts)
        listed.append(f"{key}=[{','.join(each)}]" if parts else argument)
    return listed


def _with_typed_reward(arguments: list[str]) -> list[str]:
    """Arguments in which a kind of reward that was typed as the scenario's counts, before the default of `reward`."""
    typed = {key.lstrip("+"): unquoted(value) for key, _, value in (each.partition("=") for each in arguments)}
    kind, reward = typed.get(_KIND), typed.get("reward", "null")
    if kind is None:
        return arguments
    if reward not in ("null", kind):
        raise ValueError(f"reward: {reward!r} given in addition to {_KIND}={kind}, allowed is one of the two")
    return [*arguments, "reward=null"]


_KIND = "scenario.reward.kind"


def _listed(value: str) -> list[str]:
    """The values of a list that Hydra would not read as one; [] where it reads what was typed."""
    if not value.startswith("["):
        return [] if value == "null" else joined(pieces(value))
    if not value.endswith("]") or len(joined(pieces(value))) > 1:  # a sweep over lists
        return []
    inner = [part.strip() for part in joined(pieces(value[1:-1]))]
    return inner if any("=" in part and not _is_quoted(part) for part in inner) else []


def _is_quoted(part: str) -> bool:
    return part[:1] in ("'", '"')


def _renamed(argument: str, names: Mapping[str, str]) -> str:
    key, _, value = argument.partition("=")
    return f"{names[key]}={value}" if key in names else argument


def check_overrides(name: str, arguments: Sequence[str]) -> None:
    """End the program with the message where the arguments of a command do not compose."""
    with readable_errors():
        first_composed(name, arguments)


def first_composed(name: str, arguments: Sequence[str]) -> DictConfig:
    """The configuration of arguments as they were typed, with options; of a sweep that of its first run.

    Raises:
        ValueError: an argument is refused, whichever value of a sweep it is.
    """
    configs = [composed(name, [*each, *config_folders(arguments)]) for each in _single(overrides_in(arguments))]
    return without_hydra(configs[0])


def first_defaults(name: str, arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """What the configuration of `first_composed` is put together from: folders of the user's own, and each file.

    Returns:
        The folders; and of each file its path below a folder of configurations, without its ending, and the key that
        it stands under. The last one wins.
    """
    overrides = [*_single(overrides_in(arguments))[0], *config_folders(arguments)]
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        found = loader.compute_defaults_list(name, overrides, RunMode.RUN).defaults
    return config_folders_in(arguments), [(each.config_path, each.package) for each in found if each.config_path]


def composed(name: str, overrides: Sequence[str]) -> DictConfig:
    """The configuration of a command, with Hydra's own part as `hydra`.

    Raises:
        ValueError: a key or choice does not exist, or a value is not allowed there; the message names the key, on one
            line, and says what is allowed, or what to type.
    """

    def with_hydra(some: Sequence[str]) -> DictConfig:
        with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
            return compose(name, list(some), return_hydra_config=True)

    try:
        return with_hydra(overrides)
    except Exception as error:  # Hydra's, OmegaConf's, and Python's of what neither expects
        raise ValueError(why_refused(with_hydra, overrides, error)) from None


def without_hydra(config: DictConfig) -> DictConfig:
    """A composed configuration without Hydra's own part."""
    with open_dict(config):
        del config["hydra"]
    return config


def resolved(config: DictConfig) -> dict[str, Any]:
    """A configuration as builtin types, its interpolations resolved."""
    found = OmegaConf.to_container(config, resolve=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def read_config(key: str, path: Path) -> dict[str, Any]:
    """A configuration that Hydra left in a file, as builtin types, its interpolations resolved.

    Raises:
        OSError, ValueError: it cannot be read, or something in it refers to nothing; the message names key and file.
    """
    values = read_yaml_mapping(key, path)
    with named_by_file(key, path):
        return resolved(OmegaConf.create(values))


def composed_folder(config: DictConfig) -> Path:
    """The folder of a run, which its configuration names in `hydra.run.dir`.

    Raises:
        ValueError: it cannot be told, as what it is called by is missing; the message names the key.
    """
    _check_given(config)
    try:
        return Path(config.hydra.run.dir)
    except OmegaConfBaseException:
        check_interpolations(config)
    with named_by_omegaconf():
        return Path(config.hydra.run.dir)


def _check_given(config: DictConfig) -> None:
    """Refuse a configuration in which something is still `???`."""
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    for key in sorted(_missing({name: value for name, value in values.items() if name != "hydra"}, "")):
        raise ValueError(f"{key}: not given" + (", allowed is the dotted name of a class" if "_target_" in key else ""))


def _missing(values: Any, key: str) -> Iterator[str]:
    """The keys below one that stand for what has to be given."""
    if values == "???":
        yield key
    entries = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for name, value in entries:
        yield from _missing(value, f"{key}.{name}" if key else str(name))


def overrides_in(arguments: Sequence[str]) -> list[str]:
    """Arguments without options such as `-m` and `--config-dir`."""
    return [each for each in without_config_folders(arguments) if not each.startswith("-")]


def _single(overrides: Sequence[str]) -> list[list[str]]:
    """Overrides with one value each; of those that a sweep has more of, every value at least once."""
    parsed = [_values(each) for each in overrides]
    longest = max((len(each) for each in parsed), default=1)
    return [[each[min(number, len(each) - 1)] for each in parsed] for number in range(longest)]


def _values(override: str) -> list[str]:
    """An override for each value that it sweeps over."""
    try:
        parsed = OverridesParser.create().parse_override(override)
        if parsed.is_sweep_override() and parsed.is_discrete_sweep():
            return [f"{parsed.get_key_element()}={each}" for each in parsed.sweep_string_iterator()] or [override]
    except Exception:  # whoever composes it says why
        pass
    return [override]


def config_folders(arguments: Sequence[str]) -> list[str]:
    """The override that stands for `--config-dir` where a configuration is composed without the command line."""
    found = config_folders_in(arguments)
    # Hydra takes these as they stand, `${` too: nothing is composed yet that it could refer to
    places = ",".join(quoted(f"file://{Path(each).resolve()}", interpolate=True) for each in found)
    return [f"hydra.searchpath=[{places}]"] if found else []


def without_config_folders(arguments: Sequence[str]) -> list[str]:
    """Arguments without `--config-dir` and its folder."""
    found = config_folders_in(arguments)
    return [each for each in arguments if not each.startswith(_CONFIG_DIR) and each not in found]


def config_folders_in(arguments: Sequence[str]) -> list[str]:
    """The folders of the user's own that `--config-dir` names."""
    joined = [each.partition("=")[2] for each in arguments if each.startswith(_CONFIG_DIR) and "=" in each]
    following = [after for each, after in pairwise(arguments) if each in _CONFIG_DIR]
    return joined + following


_CONFIG_DIR = ("--config-dir", "-cd")
