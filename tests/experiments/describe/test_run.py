"""A description as a whole: verdicts, files and settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.describe import Settings, describe
from experiments.describe.__main__ import prepare
from experiments.describe.settings import DescribeConfig
from slicing_gym import get_scenario
from tests.helpers.runs import read_rows

QUICK = Settings(seeds=[0], decisions=5, threads=1)


def nr(**change):
    return get_scenario("nr-8slices").replace(**change)


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        (
            get_scenario("paper-1mhz"),
            "The cell is not overloaded: its mean load takes 3 of 20 units, and an SSR of 0.99 in all",
        ),
        (
            nr(),
            "The cell carries the load (its mean load takes 189 of 273 units), but an SSR of 0.99 in all slices takes",
        ),
        (nr(slices={"gaming": {"num_users": 100}}), "The cell is overloaded: the whole band does not carry"),
        (nr(slices={"gaming": {"num_users": 60}}), "The cell is overloaded: its mean load takes"),
        (nr(slices={"gaming": {"latency_sla_s": 5e-4}}), "but no allocation gives gaming an SSR of 0.99."),
    ],
    ids=["not overloaded", "slices compete", "overloaded", "overloaded by all", "out of reach"],
)
def test_a_sentence_says_whether_the_cell_is_overloaded(scenario, said):
    found = describe(scenario, QUICK)
    assert said in found.verdict
    assert found.verdict in found.report()


def test_a_slice_that_meets_its_sla_with_fewer_units_than_carry_its_load_is_warned_of():
    """What does not enter its queues is late for nobody, so that SSR alone would call few units enough."""
    change = {"num_users": 64, "latency_sla_s": 0.28, "rate_sla_bps": 1e4}
    found = describe(nr(slices={"web": change}), QUICK)
    (web,) = [each for each in found.slices if each.name == "web"]
    (line,) = [each for each in found.warnings if each.startswith("slices.")]
    assert line.startswith(f"slices.web: an SSR of 0.99 takes {web.sla_units} units, {web.carrying_units} units carry")
    assert not any(each.startswith("slices.web") for each in describe(nr(), QUICK).warnings)


def test_parts_of_the_band_carry_more_than_all_of_it_where_each_user_has_full_power():
    """The load is above what one user at a time gets through the band, and still every slice meets its SLA."""
    paper = get_scenario("paper-1mhz")
    same = paper.to_dict()["slices"]["urllc"] | {"num_users": 150, "rate_sla_bps": 1e4, "latency_sla_s": 0.1}
    names = dict.fromkeys(paper.slice_names, same)
    found = describe(paper.replace(radio={"noise_density_dbm_per_hz": -95.0}, slices=names), QUICK)
    assert found.utilisation > 1.0
    assert found.sla_units is not None
    assert found.sla_units < paper.num_units
    assert found.verdict.startswith("The cell is not overloaded: its mean load takes 9 of 20 units")


def test_a_cell_may_be_overloaded_at_times():
    profile = {"active_users": {"kind": "daily", "low": 0.0, "high": 1.0, "period_decisions": 5.0}}
    busy = nr(slices={"gaming": {"num_users": 40, "traffic": profile}})
    assert describe(busy, QUICK).verdict.startswith("The cell is overloaded at times")


def test_files_hold_all_that_is_printed(tmp_path):
    found = describe("paper-1mhz", QUICK)
    assert {path.name for path in found.write(tmp_path)} == {
        *("description.json", "link.csv", "slices.csv", "description.png")
    }
    stored = json.loads((tmp_path / "description.json").read_text())
    assert stored["scenario"] == json.loads(json.dumps(get_scenario("paper-1mhz").to_dict()))
    assert stored["utilisation"] == pytest.approx(found.offered_bps / found.capacity_bps)
    assert [row["name"] for row in read_rows(tmp_path / "slices.csv")] == ["volte", "video", "urllc"]
    assert float(read_rows(tmp_path / "link.csv")[-1]["path_loss_db"]) == pytest.approx(92.977, abs=1e-3)
    assert stored["warnings"] == [line[len("warning: ") :] for line in found.report().splitlines() if "warning" in line]


def test_the_page_shows_the_link_and_the_warnings_that_are_printed():
    """What is simulated takes longer than this test may; the link and the warnings do not depend on it."""
    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text().splitlines()
    printed = describe("paper", Settings([0], 1, carrier_hz=2e9)).report().splitlines()
    head = printed[: printed.index("") + 9]
    warnings = [line for line in printed if line.startswith("warning: ")]
    assert len(warnings) == 9
    assert [line for line in [*head, *warnings] if line not in page] == []


def test_threads_change_nothing():
    assert describe("paper-1mhz", Settings([0, 1], 5, threads=2)) == describe("paper-1mhz", Settings([0, 1], 5))


def test_wrong_settings_are_refused_by_name():
    with pytest.raises(ValueError, match=r"ssr: 1\.5 given"):
        describe("paper-1mhz", Settings(ssr=1.5))
    with pytest.raises(ValueError, match="seeds: none given"):
        describe("paper-1mhz", Settings(seeds=[]))


def test_the_command_prints_and_writes(tmp_path, capsys):
    config = DescribeConfig([0], 3, threads=1, scenario=get_scenario("paper-1mhz").to_dict())
    prepare(config, tmp_path)()
    printed = capsys.readouterr().out
    assert "SNR, a unit [dB]" in printed
    assert (tmp_path / "description.png").is_file()
