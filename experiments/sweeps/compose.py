"""Many configurations of one command, composed with Hydra: its files are read once for all that choose the same."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.config.files import CONFIG_FOLDER, with_files
from experiments.config.hydra import Command, composed, config_folders, settings_of, without_hydra
from experiments.config.refusals import check_key, not_a_value, unread
from experiments.runs.stopping import stops_kept


class Composer:
    """Composes and checks configurations of a command.

    Combinations that differ in plain values alone, such as a seed, share one composition with Hydra, which takes long;
    the values are then set as Hydra sets them.

    Args:
        topic: the command.
        flags: of the command line, such as `--config-dir`.
    """

    def __init__(self, topic: Command[Any], flags: Sequence[str]) -> None:
        self._topic, self._flags = topic, list(flags)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        self._groups: dict[str, bool] = {}
        self._checked: dict[tuple[str, ...], str] = {}

    def whole(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of some overrides, with Hydra's own part as `hydra`.

        Raises:
            ValueError, OSError: a key or choice does not exist, or a value is not allowed there.
        """
        return composed(self._topic.name, [*with_files(self._topic.name, overrides), *config_folders(self._flags)])

    def config(self, overrides: Sequence[str]) -> DictConfig:
        """The configuration of some overrides, without Hydra's own part.

        Raises:
            ValueError, TypeError, OSError: a key or choice does not exist, or a value is not allowed there.
        """
        own = with_files(self._topic.name, overrides)
        parsed = [_parsed(each) for each in own]
        plain = [each for each in parsed if self._is_plain(each)]
        choices = tuple(text for text, each in zip(own, parsed, strict=True) if not self._is_plain(each))
        keys = (*choices, *(each.get_key_element() for each in plain))
        if keys not in self._checked:
            self._checked[keys] = self._refusal(choices, plain)
        if self._checked[keys]:
            raise ValueError(self._checked[keys])
        config = deepcopy(self._composed[choices])
        for each in plain:
            key = each.get_key_element()
            try:
                with stops_kept():
                    OmegaConf.update(config, key, each.value(), merge=True)
            except OmegaConfBaseException as error:
                raise ValueError(not_a_value(key, each.get_value_element_as_str(), error)) from None
        return config

    def settings(self, config: DictConfig) -> Any:
        """A configuration as an instance of the command's schema.

        Raises:
            ValueError, TypeError: see `settings_of`.
        """
        return settings_of(config, self._topic.schema)

    def _refusal(self, choices: tuple[str, ...], plain: Sequence[Override]) -> str:
        """Compose some choices; why that cannot be done, or why these keys are not allowed with them, or ""."""
        try:
            with stops_kept():
                if choices not in self._composed:
                    whole = composed(self._topic.name, [*choices, *config_folders(self._flags)])
                    self._composed[choices] = without_hydra(whole)
                for each in plain:
                    check_key(self._composed[choices], each.get_key_element(), each.get_value_element_as_str())
        except ValueError as error:
            return str(error)
        return ""

    def _is_plain(self, override: Override) -> bool:
        """Whether it gives a key that is there a single value; others change what is composed."""
        key = override.get_key_element()
        if override.type != OverrideType.CHANGE or key.startswith("hydra") or "@" in key:
            return False
        if isinstance(override.value(), dict | list):  # which Hydra merges in ways of its own
            return False
        if key not in self._groups:
            with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
                self._groups[key] = bool(GlobalHydra.instance().config_loader().get_group_options(key))
        return not self._groups[key]


@lru_cache(maxsize=10_000)
def _parsed(override: str) -> Override:
    try:
        return OverridesParser.create().parse_override(override)
    except Exception as error:  # the grammar's own, or Python's for what is too deep
        raise ValueError(unread(override, error)) from None
