"""What TensorBoard reads of a run: the tags that its users know, those of the cell, settings, layout."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from experiments.runs.lifecycle import CURVES
from experiments.runs.process import Process
from experiments.train import Listener, Training, train
from experiments.train.curves import curves_into
from tests.helpers.full_disk import files_of_at_most
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import SCENARIO, make_ddqn, short_settings, twin_settings

DECISIONS = 440


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    settings = short_settings(DECISIONS, ["hard"], fine_tune=120, collect=200)
    return train(make_ddqn, SCENARIO, twin_settings(), settings, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def curves(run):
    return read(run.folder)


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def points(curves, tag):
    return [(point.step, pytest.approx(point.value, rel=1e-5)) for point in curves.Scalars(tag)]


def summary_of(curves, tag):
    (found,) = (each for each in [curves.SummaryMetadata(tag)])
    return found.plugin_data.content


def test_the_cell_has_a_point_an_episode_by_real_decisions(run, curves):
    steps = [200, 400, 440]
    for tag in ("utility", "reward_at_c_max", "spectral_efficiency", "threshold"):
        assert points(curves, tag) == list(zip(steps, run.episodes[tag], strict=True))
    for name in SCENARIO.slice_names:
        assert points(curves, f"ssr/{name}") == list(zip(steps, run.episodes[f"ssr_{name}"], strict=True))


def test_rewards_are_summed_over_episodes_as_stable_baselines3_does(run, curves):
    sums = run.episodes["reward"] * run.episodes["decisions"]
    means = [sums[:number].mean() for number in (1, 2, 3)]
    assert points(curves, "rollout/ep_rew_mean") == list(zip([200, 400, 440], means, strict=True))
    assert [point.value for point in curves.Scalars("rollout/ep_len_mean")] == [200, 200, pytest.approx(440 / 3)]
    assert all(point.value > 0 for point in curves.Scalars("time/fps"))


def test_losses_are_there_and_no_point_twice(curves):
    assert {"train/loss", "train/learning_rate", "rollout/exploration_rate"} <= set(curves.Tags()["scalars"])
    for tag in curves.Tags()["scalars"]:
        steps = [point.step for point in curves.Scalars(tag)]
        assert len(set(steps)) == len(steps), tag


def test_the_end_is_what_the_evaluation_found(run, curves):
    own = run.evaluation[0]
    assert points(curves, "eval/utility") == [(DECISIONS, own.utility.mean())]
    assert points(curves, "eval/ssr_urllc") == [(DECISIONS, own.ssr[:, 2].mean())]
    assert points(curves, "eval/regret") == [(DECISIONS, run.summary["regret"])]


def test_agent_2_has_curves_over_all_of_its_twins(run):
    curves = read(run.folder / "twin")
    for tag in ("train/loss", "rollout/reward_mean", "time/fps"):
        steps = [point.step for point in curves.Scalars(tag)]
        assert steps == sorted(set(steps))
        assert steps[-1] == 384 + 320  # the second twin goes on where the first ended
    rewards = [point.value for point in curves.Scalars("rollout/reward_mean")]
    assert 3.0 < np.mean(rewards) < 9.0  # a decision, not an episode


def test_settings_stand_beside_what_came_of_them(curves):
    begun = plugin_data_pb2.HParamsPluginData.FromString(summary_of(curves, "_hparams_/session_start_info"))
    settings = begun.session_start_info.hparams
    assert settings["scenario"].string_value == SCENARIO.name
    assert settings["decisions"].number_value == DECISIONS
    assert settings["agent.arguments.gamma"].number_value == 0.8
    assert settings["twin.transition.name"].string_value == "lstm"
    assert not any("shapes" in key for key in settings)
    whole = plugin_data_pb2.HParamsPluginData.FromString(summary_of(curves, "_hparams_/experiment"))
    metrics = {each.name.tag for each in whole.experiment.metric_infos}
    assert {"eval/utility", "eval/regret"} <= metrics <= set(curves.Tags()["scalars"])


def test_the_layout_names_tags_that_exist(curves):
    (tensor,) = curves.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0])
    named = [
        tag.lstrip("^").rstrip("$") for group in layout.category for chart in group.chart for tag in chart.multiline.tag
    ]
    assert "ssr/" in named
    assert all(any(tag.startswith(each) for tag in curves.Tags()["scalars"]) for each in named)


def test_a_run_in_the_same_folder_begins_its_curves_again(tmp_path):
    for _ in range(2):
        train(make_ddqn, SCENARIO, settings=short_settings(60, ["hard"]), folder=tmp_path)
    assert len(list(tmp_path.glob(f"{CURVES}*"))) == 1


class Full(Listener):
    """Saves after some decisions, from which on the file of the curves may not grow."""

    training, more = None, ExitStack()

    def on_settled(self):
        run = self.training.algorithm
        if run.log.decisions == 15:
            run.save()
            (path,) = self.training.folder.glob(f"{CURVES}*")
            self.more.enter_context(files_of_at_most(path.stat().st_size + 10))


def test_a_full_disk_is_one_line_that_names_the_file_and_the_run_goes_on(tmp_path, capfd):
    scenario, full = SCENARIO.replace(decisions_per_episode=10), Full()
    given = {"folder": tmp_path, "settings": short_settings(50, []), "resume": True}

    def prepare():
        full.training = Training(make_ddqn, scenario, None, listeners=[full], **given)
        return full.training.learn

    with full.more:
        assert Process(tmp_path, "train", [], prepare, lambda: "type it again").run() == 1
    (path,) = tmp_path.glob(f"{CURVES}*")
    assert capfd.readouterr().err == f"error: [Errno 27] File too large: '{path}'\n"
    again = Training(make_ddqn, scenario, None, **given)
    assert again.algorithm.log.decisions == 15
    again.learn()
    steps = [point.step for point in read(tmp_path).Scalars("utility")]
    assert steps == [10, 20, 30, 40, 50]


def test_a_folder_that_takes_no_file_is_named(tmp_path):
    with files_of_at_most(10), pytest.raises(OSError, match=rf"File too large: '.*{CURVES}"):
        curves_into(tmp_path)
