"""Runs that are killed, finished already, damaged, or of another configuration."""

from __future__ import annotations

import json

import pytest

from experiments.runs import checkpoint
from experiments.tools.digests import digests
from experiments.train import Training, train
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, make_ddqn, maker, short_settings, twin_settings

SETTINGS = short_settings(60)


def test_digests_notice_a_difference(tmp_path):
    for name, seed in (("one", 0), ("other", 1)):
        train(make_ddqn, SCENARIO, settings=SETTINGS, folder=tmp_path / name, seed=seed)
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    assert all(one[name] != other[name] for name in one)


def test_half_written_and_foreign_checkpoints_are_refused_by_name(tmp_path):
    def training(make=make_ddqn, settings=SETTINGS, **arguments):
        return Training(make, SCENARIO, settings=settings, folder=tmp_path, resume=True, **arguments)

    training().algorithm.run()
    file = tmp_path / checkpoint.FILE
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"resume: .*checkpoint\.npz' is not a checkpoint, or is damaged"):
        training()
    file.write_bytes(whole)
    with pytest.raises(ValueError, match=r"another configuration:\n  decisions: 60 there, 90 given"):
        training(settings=short_settings(90))
    with pytest.raises(ValueError, match=r"another configuration:\n  seed: 0 there, 3 given"):
        training(seed=3)
    with pytest.raises(ValueError, match=r"another configuration:\n  agent\.head: 'dense' there, 'geometry' given"):
        training(maker(policy={"head": "geometry"}))
    assert training().algorithm.log.decisions == 60


def test_a_finished_run_is_not_run_again_but_read(tmp_path):
    arguments = {"twin": twin_settings(), "settings": short_settings(240), "folder": tmp_path}
    first = train(make_ddqn, SCENARIO, **arguments)
    assert not (tmp_path / checkpoint.FILE).exists()
    before = (tmp_path / "agent.zip").stat().st_mtime_ns
    again = train(make_ddqn, SCENARIO, **arguments, resume=True)
    assert (tmp_path / "agent.zip").stat().st_mtime_ns == before
    assert (again.name, again.folder, again.summary) == ("ddqn-dt", tmp_path, first.summary)
    assert again.episodes["utility"].to_list() == pytest.approx(first.episodes["utility"].to_list(), abs=1e-6)
    assert len(again.history) == 240
    assert again.twin.scenario == SCENARIO
    seen = first.history.arrivals / SCENARIO.nominal_arrivals
    assert again.agent.predict(seen)[0].tolist() == first.agent.predict(seen)[0].tolist()
    changed = twin_settings()
    changed.seed = 1
    with pytest.raises(ValueError, match=r"has another configuration:\n  twin\.seed: 0 there, 1 given"):
        train(make_ddqn, SCENARIO, **{**arguments, "twin": changed}, resume=True)


def test_a_run_that_goes_on_knows_how_its_twin_was_fitted(tmp_path):
    def training():
        return Training(make_ddqn, SCENARIO, twin_settings(), short_settings(240), tmp_path, resume=True)

    algorithm = training().algorithm
    while algorithm.twin is None:
        algorithm._steps()[algorithm._next_step]()
    algorithm.save()
    assert algorithm.twin_notes
    assert training().algorithm.twin_notes == algorithm.twin_notes


def test_what_does_not_change_a_run_may_be_another_when_it_is_resumed(tmp_path):
    folder = {"folder": tmp_path, "resume": True}
    Training(make_ddqn, SCENARIO, settings=SETTINGS, **folder).algorithm.run()
    settings = short_settings(60, checkpoint_s=3.0)
    settings.progress = True
    assert Training(make_ddqn, SCENARIO, settings=settings, **folder).algorithm.log.decisions == 60


def test_without_resume_a_run_begins_again(tmp_path):
    """What an earlier one left is not taken for this one's."""
    for decisions in (60, 40):
        train(make_ddqn, SCENARIO, settings=short_settings(decisions), folder=tmp_path)
        assert json.loads((tmp_path / "summary.json").read_text())["decisions"] == decisions


def test_a_run_is_not_resumed_with_another_class(tmp_path):
    import sb3_contrib
    import stable_baselines3

    settings = short_settings(20)
    common = {"scenario": SCENARIO, "settings": settings, "folder": tmp_path, "name": "mine", "resume": True}
    Training(maker(stable_baselines3.DQN), **common).algorithm.save()
    with pytest.raises(
        ValueError,
        match=r"_target_: 'stable_baselines3\.dqn\.dqn\.DQN' there, 'sb3_contrib\.qrdqn\.qrdqn\.QRDQN' given",
    ):
        Training(maker(sb3_contrib.QRDQN), **common)
