"""Agents whose weights become NaN end a run; they are not evaluated, and a twin does not pass them on."""

from __future__ import annotations

import pytest
import torch
from stable_baselines3 import DQN

from agents.registry import import_modules
from experiments.offline import offline
from experiments.runs.process import Process
from experiments.runs.status import read_status
from experiments.train import train
from experiments.train.__main__ import prepare
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.offline_runs import offline_settings
from tests.helpers.runs import SCENARIO, composed, make_ddqn, maker, read_rows, short_settings, twin_settings


class Lost(DQN):
    """Multiplies its weights by NaN once it has learned for some decisions."""

    def __init__(self, *args, after=0, **arguments):
        super().__init__(*args, **arguments)
        self.after = after

    def train(self, gradient_steps, batch_size=100):
        super().train(gradient_steps, batch_size)
        if self.num_timesteps >= self.after:
            with torch.no_grad():
                for weights in self.q_net.parameters():
                    weights *= float("nan")


def test_without_a_twin_it_ends_after_the_episode(tmp_path):
    """Of 200 decisions, of which it lost its weights in the 120th."""
    with pytest.raises(FloatingPointError, match=r"lost \(Lost\) .*q_net.* after 200 decisions; .*learning_rate"):
        train(maker(Lost, after=120), SCENARIO, None, short_settings(220), tmp_path, name="lost")
    assert [row["decisions"] for row in read_rows(tmp_path / "episodes.csv")] == ["200"]
    assert not {"agent.zip", "evaluation.csv", "summary.json"} & {path.name for path in tmp_path.iterdir()}


def test_in_an_episode_that_is_cut_short_it_is_not_evaluated(tmp_path):
    with pytest.raises(FloatingPointError, match="after 70 decisions"):
        train(maker(Lost, after=60), SCENARIO, None, short_settings(70), tmp_path)
    assert not (tmp_path / "evaluation.csv").exists()


def test_a_twin_passes_nothing_on(tmp_path):
    with pytest.raises(FloatingPointError, match=r"Agent 2 of lost-dt \(Lost\) .* after 384 decisions in the twin"):
        train(maker(Lost), SCENARIO, twin_settings(), short_settings(), tmp_path, name="lost")
    assert len(read_rows(tmp_path / "episodes.csv")) == 1  # what the decisions before were


def test_fine_tuning_is_looked_at_too(tmp_path):
    """Before it is compared in the twin, where the better one is kept."""
    make = maker(Lost, twin={"after": 10**6}, after=210)
    with pytest.raises(FloatingPointError, match=r"agent: lost-dt \(Lost\) .* after 240 decisions;"):
        train(make, SCENARIO, twin_settings(), short_settings(), tmp_path, name="lost")


def test_what_learns_from_a_history_as_well(tmp_path):
    history = train(make_ddqn, SCENARIO, None, short_settings(90)).history
    with pytest.raises(FloatingPointError, match=r"lost \(Lost\) .* after 4 epochs;"):
        offline(maker(Lost), history, settings=offline_settings(conservative_weight=0.0), folder=tmp_path, name="lost")


def test_a_command_has_failed(tmp_path, capsys):
    import_modules([__name__])
    typed = ["+experiment=debug", "agent=custom", f"agent._target_={__name__}.Lost", "agent.name=lost", "twin=none"]
    config = composed("train", *typed, "agent.net_arch=[16,16]", "decisions=150", "progress=false")
    status = Process(tmp_path, "train", typed, lambda: prepare(config, tmp_path), str).run()
    assert (status, read_status(tmp_path).state) == (1, "failed")
    assert "agent: lost (Lost) has weights that are not finite" in read_status(tmp_path).error
    assert "agent: lost" in capsys.readouterr().err
