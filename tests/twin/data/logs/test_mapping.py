"""What a mapping of a log may say."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.twin.data.logs.conftest import CASES, mapping_of, mapping_of_users
from twin.data.logs import LogMapping, from_table, read_log


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
    "unknown key": (set_at("allocations", "blocks"), r"mapping: unknown name 'allocations'; did you mean 'allocation'"),
    "missing key": (drop("interval"), r"mapping\.interval: missing; allowed is interval or time"),
    "no scenario": (drop("scenario"), r"mapping\.scenario: missing"),
    "list for a name": (set_at("arrivals", ["packets"]), r"mapping\.arrivals: \('packets',\) given, allowed is a col"),
    "name for a list": (
        set_at("unused", "comment"),
        r"mapping\.unused: 'comment' given, allowed is one of tuple, list",
    ),
    "list of columns": (
        set_at("performance", ["rate"]),
        r"mapping\.performance: \('rate',\) given, allowed is Mapping",
    ),
    "not settings": (
        set_at("performance", "rate", 1),
        r"mapping\.performance\.rate: 1 given, allowed is one of Mapping",
    ),
    "unknown setting": (
        set_at("performance", "rate", {"uper": 1.0}),
        r"mapping\.performance\.rate: unknown name 'uper'; did you mean 'upper'",
    ),
    "bad setting": (
        set_at("performance", "rate", "transform", "log"),
        r"mapping\.performance\.rate\.transform: unknown name 'log'; did you mean 'log1p'",
    ),
    "no identifier": (set_at("performance", "a rate", {}), r"mapping\.performance\.a rate\.name: 'a rate' given"),
    "same name": (
        set_at("performance", "rate", "name", "delay_ms"),
        r"mapping\.performance: the names \['delay_ms', 'delay_ms', 'load', 'users'\] are not",
    ),
    "taken name": (
        set_at("performance", "users", "name", "interval"),
        r"mapping\.columns: the name 'interval' occurs twice",
    ),
    "bad transform": (set_at("arrivals_transform", "sqr"), r"mapping\.arrivals_transform: unknown name 'sqr'"),
    "too few slices": (
        set_at("slices", ["C"]),
        r"mapping\.slices: \['C'\] given, .* 2 different values, for calls, data",
    ),
    "slices alike": (set_at("slices", ["C", "C"]), r"mapping\.slices: \['C', 'C'\] given"),
    "bad control": (
        set_at("controls", "scheduler", [0.5]),
        r"mapping\.controls\.scheduler\.values: 0\.5 is not a whole",
    ),
    "unknown ssr key": (
        set_at("ssr", "at_mots", [1, 2]),
        r"mapping\.ssr: unknown name 'at_mots'; did you mean 'at_most'",
    ),
    "two ssr bounds": (set_at("ssr", "at_least", [1.0, 2.0]), r"mapping\.ssr\.at_least: .* allowed is one of the two"),
    "one ssr bound": (set_at("ssr", "at_most", [1.0]), r"mapping\.ssr: 1 bounds given, allowed are 2, one a slice"),
    "text as a bound": (set_at("ssr", "at_most", ["a", 1]), r"mapping\.ssr\.at_most: 'a' is not a number"),
    "number as bounds": (
        set_at("ssr", "at_most", 1.0),
        r"mapping\.ssr\.at_most: 1\.0 given, allowed is one of tuple, list",
    ),
    "ssr of the cell": (
        set_at("ssr", "column", "load"),
        r"mapping\.ssr\.column: 'load' is the cell's, allowed is one of",
    ),
    "ssr of nothing": (
        set_at("ssr", "column", "dela"),
        r"mapping\.ssr\.column: unknown name 'dela'; did you mean 'delay",
    ),
    "ssr measured": (
        set_at("performance", "users", "name", "ssr"),
        r"mapping\.ssr: is both a column of the log and to be",
    ),
    "rate unit": (
        set_at("spectral_efficiency", "unit_bps", "1e6"),
        r"mapping\.spectral_efficiency\.unit_bps: '1e6' is not",
    ),
    "rate missing": (
        set_at("spectral_efficiency", {"column": "rate"}),
        r"mapping\.spectral_efficiency: unit_bps missing",
    ),
    "bad scenario": (
        set_at("scenario", "slices", "calls", "num_users", 0),
        r"mapping\.scenario\.slices\.calls\.num_users: 0 given",
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


SHAPES = {
    "time": {"interval": None, "time": {"column": "ms", "unit": "ms", "period": 250, "tolerance": 5}},
    "rows of users": {"aggregate": {"by": "ue", "arrivals": "sum", "ues": "count"}, "run": ["file", "cell"]},
    "wide": {"slice": None, "wide": {"pkts": "pkts_{slice}", "prb_next": "prb_{slice}", "rate_mbps": "thp_{slice}"}},
    "coming and going": {"absent": {"arrivals": 0, "rate": 0.0}, "allowed": "held"},
    "lost rows": {"absent": "gap"},
    "masks": {"allocation": {"column": "mask", "as": "mask", "group": 3, "idle": True}, "allocation_is": "in_force"},
    "dirty": {"missing": ["-", "", "inf"], "short_rows": "missing", "drop_identical": True, "unused": "rest"},
    "query": {"query": "SELECT *\nFROM log\n", "files": "*/x.csv"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mapping_is_written_as_it_is_read(shape, tmp_path):
    mapping = mapping_of(**SHAPES[shape])
    (tmp_path / "mapping.yaml").write_text(mapping.to_yaml())
    assert LogMapping.from_yaml(tmp_path / "mapping.yaml") == mapping


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": {"column": "ms"}}, r"mapping\.interval: given together with time, allowed is one of the two"),
        ({"interval": None, "time": {"column": "ms", "unit": "h"}}, r"mapping\.time\.unit: unknown name 'h'"),
        ({"interval": None, "time": {"column": "ms", "periods": 1}}, r"did you mean 'period'"),
        (
            {"interval": None, "time": {"column": "ms", "period": 0}},
            r"mapping\.time\.period: 0 given, allowed is above 0",
        ),
        ({"slice": None}, r"mapping\.slice: missing; allowed is slice or wide"),
        ({"wide": {"pkts": "p_{slice}"}}, r"mapping\.slice: given together with wide"),
        ({"allocation_is": "inforce"}, r"mapping\.allocation_is: unknown name 'inforce'; did you mean 'in_force'"),
        ({"allowed": "some"}, r"mapping\.allowed: unknown name 'some'"),
        ({"missing_is": "zero"}, r"mapping\.missing_is: unknown name 'zero'"),
        ({"short_rows": "drop"}, r"mapping\.short_rows: unknown name 'drop'"),
        ({"allocation": {"column": "prb", "as": "groups"}}, r"mapping\.allocation\.as: unknown name 'groups'"),
        (
            {"allocation": {"column": "prb", "smallest": 2}},
            r"mapping\.allocation\.smallest: 2 given",
        ),
        ({"aggregate": {"by": "ue", "pkts": "total"}}, r"mapping\.aggregate\.pkts: unknown name 'total'"),
        ({"absent": {"arrivals": "none", "rate": 0}}, r"mapping\.absent\.arrivals: 'none' is not a number"),
        ({"absent": "gaps"}, r"mapping\.absent: unknown name 'gaps'; did you mean 'gap'"),
        (
            {"spectral_efficiency": {"column": "pkts", "unit_bps": 1e6}},
            r"mapping\.spectral_efficiency\.column: .* name it once more: performance: \{'pkts': \{name: sent\}\}",
        ),
        (
            {"spectral_efficiency": {"column": "rate", "unit_bps": 1e6, "users": "ues"}},
            r"mapping\.spectral_efficiency\.users: unknown name 'ues'",
        ),
    ],
)
def test_keys_of_shapes_are_checked(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mapping_of(**changes)


def test_what_is_no_mapping_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mapping: the file '.*absent\.yaml' does not exist"):
        LogMapping.from_yaml(tmp_path / "absent.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(ValueError, match=r"mapping: '.*broken\.yaml' is not YAML"):
        LogMapping.from_yaml(tmp_path / "broken.yaml")
    (tmp_path / "bomb.yaml").write_text("a: &a [x]\nb: [*a, *a]\n")
    with pytest.raises(ValueError, match=r"mapping: '.*bomb\.yaml' is not YAML .*: an alias \(\*a\), allowed are none"):
        LogMapping.from_yaml(tmp_path / "bomb.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(TypeError, match="mapping: "):
        LogMapping.from_yaml(tmp_path / "list.yaml")


def test_se_counts_the_users_of_each_interval():
    rules = {"column": "rate", "unit_bps": 1e6, "users": "ues"}
    mapping = mapping_of_users("mean", spectral_efficiency=rules, ssr={"column": "rate", "at_least": [0.7, 0.7, 0.7]})
    history = read_log(CASES / "04_row_per_ue.csv", mapping)
    rates, users = history.performance["rate"], history.performance["ues"]
    assert len(np.unique(users[:, 0])) > 1
    np.testing.assert_allclose(history.spectral_efficiency, (rates * users).sum(axis=1) / 10.0)


def test_a_file_may_write_numbers_as_yaml_1_2_has_them(tmp_path):
    """Also a count; but not what stands for texts of the log's own, and names of columns."""
    names = {"performance": {"1e3": {"name": "rate", "unit": "1e6"}}, "run": ["1e4"], "unused": ["1e5"]}
    names |= {"missing": ["1e9"], "arrivals": "2e6"}
    text = mapping_of(**names).to_yaml()
    radio = mapping_of().scenario.radio
    assert (radio.bandwidth_hz, radio.slots_per_interval) == (10e6, 1000)
    for number, written in (("10000000.0", ".1e8"), ("slots_per_interval: 1000", "slots_per_interval: 1e3")):
        assert number in text
        text = text.replace(number, written)
    text = text.replace("- 2.0", "- 20e-1")
    (tmp_path / "mapping.yaml").write_text(text)
    assert LogMapping.from_yaml(tmp_path / "mapping.yaml") == mapping_of(**names)
    (tmp_path / "mapping.yaml").write_text(text.replace(".1e8", ".1e8x"))
    with pytest.raises(TypeError, match=r"bandwidth_hz: '.1e8x' is not a number$"):
        LogMapping.from_yaml(tmp_path / "mapping.yaml")


def test_all_numbers_that_yaml_reads_as_texts_are_named_at_once():
    data = mapping_of().to_dict()
    data["scenario"]["radio"]["bandwidth_hz"] = "38.16e6"
    data["ssr"] = {"column": "rate", "at_least": [1.0, "2e6", 2.0]}
    expected = (
        "mapping: 2 numbers are texts to YAML 1.1: scenario.radio.bandwidth_hz: '38.16e6', write 38.16e+6 or 38160000, "
        "ssr.at_least: '2e6', write 2.0e+6 or 2000000"
    )
    with pytest.raises(TypeError) as said:
        LogMapping.from_dict(data)
    assert str(said.value) == expected
    data["scenario"] = mapping_of().to_dict()["scenario"]
    data["missing"] = ["1e9", "2e9"]  # texts of the log's own
    with pytest.raises(TypeError, match=r"^(mapping\.ssr\.)?at_least: '2e6' is not a number"):
        LogMapping.from_dict(data)
