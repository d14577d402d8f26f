"""From a log to a scenario and a twin of its arrivals, from Python and by the command."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from experiments.config.hydra import Command
from experiments.traffic import Settings, traffic
from experiments.traffic.__main__ import prepare
from experiments.traffic.settings import TrafficConfig
from slicing_gym import Scenario, get_scenario
from tests.helpers.commands import configured, yaml_defaults
from tests.helpers.runs import twin_settings
from tests.helpers.traffic import traffic_log
from twin.traffic import TrafficTwin

BASE = get_scenario("paper-1mhz").replace(decisions_per_episode=50)
PASSIVE = "tests/data/logs/07_passive.csv"
MAPPING = {
    "interval": "t",
    "slice": "slice",
    "slices": ["embb", "mtc", "urllc"],
    "arrivals": "pkts",
    "performance": {"bytes": {"unit": "byte", "whole": True}},
}


def test_scenario_picture_and_twin_are_written(tmp_path):
    log = traffic_log(100)
    settings = Settings(name="mine", resample=True, sla={"urllc": {"latency_sla_s": 0.02}}, progress=False)
    result = traffic(log, BASE, settings, tmp_path, twin=twin_settings())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "arrivals.card.md",
        "arrivals.safetensors",
        "mine.yaml",
        "traffic.png",
    ]
    assert Scenario.from_dict(yaml.safe_load((tmp_path / "mine.yaml").read_text())) == result.scenario
    assert result.scenario.slices[2].latency_sla_s == 0.02
    found = TrafficTwin.load(tmp_path / "arrivals.safetensors").sample([0], 5)
    np.testing.assert_array_equal(found.packets, result.twin.sample([0], 5).packets)
    assert len(result.scenario.slices[0].traffic.active_users.levels) == 25 * 50
    sizes = log.volume_byte.sum(axis=0) / log.packets.sum(axis=0)
    drawn = [part.traffic.packet_size_byte.mean for part in result.scenario.slices]
    np.testing.assert_allclose(drawn, sizes, rtol=0.02)  # of the log: the twin knows packets alone
    report = result.report()
    assert "200 intervals of 0.25 s in 2 runs; one becomes a decision of 0.2 s" in report
    assert "CRPS / climatology's" in report
    assert [verdict.use for verdict in result.evaluation.verdicts] == ["the arrivals"]
    assert "within the units" not in report  # of a log without decisions


def test_without_a_twin_nothing_is_fitted(tmp_path):
    result = traffic(traffic_log(30), BASE, Settings(progress=False), tmp_path)
    assert (result.twin, result.evaluation) == (None, None)
    assert not (tmp_path / "arrivals.safetensors").exists()
    with pytest.raises(ValueError, match="resample: true given without a twin"):
        traffic(traffic_log(30), BASE, Settings(resample=True))


def test_the_command_reads_a_log_by_its_mapping(tmp_path, capsys):
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    given = [f"log={PASSIVE}", f"mapping_file={tmp_path}/mapping.yaml", "period_s=1", "scale={embb: 50, mtc: 10}"]
    config = configured("traffic", TrafficConfig, *given)
    prepare(config, tmp_path / "out")()
    shown = capsys.readouterr().out
    assert "160 intervals of 1 s in 1 run" in shown
    assert "next: python -m experiments.train scenario=" in shown
    made = Scenario.from_dict(yaml.safe_load((tmp_path / "out" / "my_traffic.yaml").read_text()))
    assert made.reward.kind == "utility"
    packets = made.nominal_arrivals / made.radio.interval_s
    np.testing.assert_allclose(packets, [61.125 * 50, 24.775 * 10, 29.256], rtol=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["period_s=null"], "period_s: not given, and 't' numbers the intervals"),
        (["volume_byte=byte"], "volume_byte: unknown name 'byte'; did you mean 'bytes'"),
        (["log=null"], "log: missing; experiments.inspect"),
        (["mapping_file=null"], "mapping: missing; experiments.inspect"),
        (["log=nowhere.csv"], "nowhere.csv"),
        (["scale=0"], "scale.embb: 0 given, allowed is above 0"),
    ],
)
def test_what_the_command_refuses(changes, message, tmp_path):
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    given = [f"log={PASSIVE}", f"mapping_file={tmp_path}/mapping.yaml", "period_s=1", *changes]
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        prepare(configured("traffic", TrafficConfig, *given), tmp_path / "out")


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ([], "utility"),
        (["scenario.reward.kind=shaped"], "shaped"),
        (["scenario.reward.kind='clip'", "reward=clip"], "clip"),
        (["reward=null", "++scenario.reward.kind=clip"], "clip"),
        (["scenario=paper", "reward=clip"], "clip"),
    ],
)
def test_a_reward_that_was_typed_counts(typed, kind, tmp_path):
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    given = [
        f"log={PASSIVE}",
        f"mapping_file={tmp_path}/mapping.yaml",
        "period_s=1",
        "scenario.decisions_per_episode=9",
    ]
    prepare(
        configured("traffic", TrafficConfig, *Command("traffic", TrafficConfig, prepare).as_meant([*given, *typed])),
        tmp_path,
    )()
    assert yaml.safe_load((tmp_path / "my_traffic.yaml").read_text())["reward"]["kind"] == kind


def test_the_yaml_holds_the_defaults():
    own = {name: value for name, value in vars(TrafficConfig()).items() if name not in ("scenario", "mapping", "twin")}
    assert yaml_defaults("traffic") == own
