"""What a run's folder says of it: its status, and the states that nobody could write."""

from __future__ import annotations

import json

import pytest

from experiments.runs import status
from experiments.runs.lock import RunLock
from experiments.runs.status import STATES, Status, read_status, state_of, write_status


def test_what_is_written_is_read(tmp_path):
    given = Status(
        "failed", "train", ("seed=0",), "no disk left", "Traceback", 2.5, status.now(), status.now(), process=3
    )
    write_status(tmp_path / "run", given)
    assert read_status(tmp_path / "run") == given
    assert {"python", "slicing-gym", "numpy", "torch"} <= given.versions.keys()
    assert read_status(tmp_path) is None


def test_what_is_no_character_is_escaped(tmp_path):
    """As in the name of a file that another system wrote."""
    write_status(tmp_path, Status("refused", "inspect", ("log=a\udcff.csv",), "log: a\udcff.csv is not there"))
    found = read_status(tmp_path)
    assert (found.overrides, found.error) == (("log=a\\udcff.csv",), "log: a\\udcff.csv is not there")


def test_a_state_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="state: 'finished' given, allowed are queued, running, done"):
        Status("finished")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"state": "done", "overrides": [], "mood": "good"}'])
def test_a_damaged_status_and_one_of_another_version_are_refused_by_name(tmp_path, content):
    (tmp_path / status.STATUS_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"status\.json' is no status of a run, or of another version"):
        read_status(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("state", each) for each in (None, 3, [], {})),
        *(("command", each) for each in (None, 3, ["train"])),
        *(("overrides", each) for each in (None, "seed=0", {"seed": 0}, [3], [None], [["seed=0"]])),
        *(("error", each) for each in (None, 3, {})),
        *(("traceback", each) for each in (None, ["line"])),
        *(("seconds", each) for each in ("7", True, [7], float("nan"), float("inf"), -1.0, 10**400)),
        *(("started", each) for each in (3, ["now"])),
        *(("ended", each) for each in (3.5, {})),
        *(("host", each) for each in (None, 3)),
        *(("process", each) for each in ("7", 7.5, -1, True)),
        *(("versions", each) for each in (None, [], "3", {"python": 3})),
    ],
)
def test_what_a_damaged_status_holds_of_another_kind_is_refused_by_name(tmp_path, key, value):
    write_status(tmp_path, Status("done", "train", ("seed=0",)))
    path = tmp_path / status.STATUS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ValueError, match=r"^folder: .*status\.json' is no status of a run") as refused:
        read_status(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("state", STATES)
def test_what_runs_without_anybody_to_run_it_is_dead(tmp_path, state):
    folder = tmp_path / "sweep" / "run"
    write_status(folder, Status(state))
    assert state_of(folder) == ("dead" if state in ("queued", "running") else state)
    with RunLock(folder):
        assert state_of(folder) == state
    with RunLock(folder.parent):  # the sweep is there: what is queued will have its turn, what ran has died
        assert state_of(folder) == ("dead" if state == "running" else state)


def test_a_run_of_an_earlier_version_is_known_by_its_files(tmp_path):
    assert state_of(tmp_path) == state_of(tmp_path / "nowhere") == "missing"
    (tmp_path / "summary.json").touch()
    assert state_of(tmp_path) == "done"
    (tmp_path / "checkpoint.npz").touch()
    assert state_of(tmp_path) == "dead"
    with RunLock(tmp_path):
        assert state_of(tmp_path) == "running"
