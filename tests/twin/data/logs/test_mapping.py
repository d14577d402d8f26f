"""What a mapping of a log may say."""

from __future__ import annotations

import copy

import pytest

from twin.data.logs import LogMapping, from_table


def set_at(*path_and_value):
    """A change of a mapping: keys, and what is to stand there."""
    *path, last, value = path_and_value

    def change(from_yaml):
        for key in path:
            from_yaml = from_yaml[key]
        from_yaml[last] = value

    return change


def drop(key):
    return lambda from_yaml: from_yaml.pop(key)


BAD_MAPPINGS = {
    "unknown key": (set_at("allocations", "blocks"), r"history: unknown name 'allocations'; did you mean 'allocation'"),
    "missing key": (drop("interval"), r"history\.interval: missing; allowed is interval or time"),
    "no scenario": (drop("scenario"), r"history\.scenario: missing"),
    "list for a name": (set_at("arrivals", ["packets"]), r"history\.arrivals: \('packets',\) given, allowed is str"),
    "name for a list": (
        set_at("unused", "comment"),
        r"history\.unused: 'comment' given, allowed is one of tuple, list",
    ),
    "list of columns": (
        set_at("performance", ["rate"]),
        r"history\.performance: \('rate',\) given, allowed is Mapping",
    ),
    "not settings": (
        set_at("performance", "rate", 1),
        r"history\.performance\.rate: 1 given, allowed is one of Mapping",
    ),
    "unknown setting": (
        set_at("performance", "rate", {"uper": 1.0}),
        r"history\.performance\.rate: unknown name 'uper'; did you mean 'upper'",
    ),
    "bad setting": (
        set_at("performance", "rate", "transform", "log"),
        r"history\.performance\.rate\.transform: unknown name 'log'; did you mean 'log1p'",
    ),
    "no identifier": (set_at("performance", "a rate", {}), r"history\.performance\.a rate\.name: 'a rate' given"),
    "same name": (
        set_at("performance", "rate", "name", "delay_ms"),
        r"history\.performance: the names \['delay_ms', 'delay_ms', 'load', 'users'\] are not",
    ),
    "taken name": (
        set_at("performance", "users", "name", "interval"),
        r"history\.columns: the name 'interval' occurs twice",
    ),
    "bad transform": (set_at("arrivals_transform", "sqr"), r"history\.arrivals_transform: unknown name 'sqr'"),
    "too few slices": (
        set_at("slices", ["C"]),
        r"history\.slices: \['C'\] given, .* 2 different values, for calls, data",
    ),
    "slices alike": (set_at("slices", ["C", "C"]), r"history\.slices: \['C', 'C'\] given"),
    "bad control": (
        set_at("controls", "scheduler", [0.5]),
        r"history\.controls\.scheduler\.values: 0\.5 is not a whole",
    ),
    "unknown ssr key": (
        set_at("ssr", "at_mots", [1, 2]),
        r"history\.ssr: unknown name 'at_mots'; did you mean 'at_most'",
    ),
    "two ssr bounds": (set_at("ssr", "at_least", [1.0, 2.0]), r"history\.ssr\.at_least: .* allowed is one of the two"),
    "one ssr bound": (set_at("ssr", "at_most", [1.0]), r"history\.ssr: 1 bounds given, allowed are 2, one a slice"),
    "text as a bound": (set_at("ssr", "at_most", ["a", 1]), r"history\.ssr\.at_most: 'a' is not a number"),
    "number as bounds": (
        set_at("ssr", "at_most", 1.0),
        r"history\.ssr\.at_most: 1\.0 given, allowed is one of tuple, list",
    ),
    "ssr of the cell": (
        set_at("ssr", "column", "load"),
        r"history\.ssr\.column: 'load' is the cell's, allowed is one of",
    ),
    "ssr of nothing": (
        set_at("ssr", "column", "dela"),
        r"history\.ssr\.column: unknown name 'dela'; did you mean 'delay",
    ),
    "ssr measured": (
        set_at("performance", "users", "name", "ssr"),
        r"history\.ssr: is both a column of the log and to be",
    ),
    "rate unit": (
        set_at("spectral_efficiency", "unit_bps", "1e6"),
        r"history\.spectral_efficiency\.unit_bps: '1e6' is not",
    ),
    "rate missing": (
        set_at("spectral_efficiency", {"column": "rate"}),
        r"history\.spectral_efficiency: unit_bps missing",
    ),
    "bad scenario": (
        set_at("scenario", "slices", "calls", "num_users", 0),
        r"history\.scenario\.slices\.calls\.num_users: 0 given",
    ),
}


@pytest.mark.parametrize("case", BAD_MAPPINGS)
def test_a_mapping_that_is_not_right_is_refused_by_key(from_yaml, case):
    change, message = BAD_MAPPINGS[case]
    LogMapping.from_dict(from_yaml)
    changed = copy.deepcopy(from_yaml)
    change(changed)
    with pytest.raises((ValueError, TypeError), match=message):
        LogMapping.from_dict(changed)


def test_a_mapping_may_say_little(table, from_yaml):
    for key in ("ssr", "spectral_efficiency", "controls"):
        del from_yaml[key]
    from_yaml |= {"performance": {"rate": None}, "unused": ["comment", "delay", "load", "users", "scheduler"]}
    history = from_table(table, LogMapping.from_dict(from_yaml))
    assert list(history.performance) == ["rate"]
    with pytest.raises(ValueError, match="'ssr' was not measured"):
        _ = history.ssr
