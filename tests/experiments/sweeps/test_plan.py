"""The command line of a sweep, its combinations, and the checks of each before the first run."""

from __future__ import annotations

import json
import re

import pytest
from hydra import compose, initialize_config_dir

from experiments.config.hydra import CONFIG_FOLDER, Command, register
from experiments.runs.status import Status, write_status
from experiments.sweeps.check import plan
from experiments.sweeps.compose import Composer
from experiments.sweeps.expand import expand, fixed, parse
from experiments.sweeps.plan import Sweep, SweepJob, read_sweep, write_sweep
from experiments.train.__main__ import prepare
from experiments.train.check import check_unseen
from experiments.train.settings import TrainConfig

TRAIN = Command("train", TrainConfig, prepare, check_seed=lambda config: check_unseen(config.evaluation, config.seed))


@pytest.fixture(autouse=True, scope="module")
def _registered():
    register("train", TrainConfig)


def planned(tmp_path, *overrides, resume=False):
    composer = Composer(TRAIN, ())
    typed = parse([*overrides, "-m", f"hydra.sweep.dir={tmp_path}"])
    whole = composer.whole([*typed.of_sweep, *fixed(typed.overrides)])
    return plan(TRAIN, composer, expand(typed.overrides, {}), whole.hydra, resume)


def test_what_is_for_the_sweep_is_told_from_what_is_for_its_runs():
    typed = parse(
        [
            *("-m", "agent=dqn,ddqn", "--config-dir", "mine", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
            *("hydra.sweep.dir=runs/x", "hydra.verbose=true", "resume=auto", "retry=failed", "seed=0"),
        ]
    )
    assert typed.flags == ("--config-dir", "mine")
    assert typed.overrides == ("agent=dqn,ddqn", "hydra.verbose=true", "seed=0")
    assert typed.of_sweep == ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=runs/x")
    assert typed.resume
    assert typed.retry


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume=runs/x"], r"resume: 'runs/x' given, allowed with -m is auto"),
        (["resume=auto", "retry=all"], r"retry: 'all' given, allowed with -m is failed"),
        (["retry=failed"], r"retry: failed given, allowed with resume=auto only"),
        (["hydra.run.dir=x"], r"hydra\.run\.dir: given with -m, allowed is hydra\.sweep\.dir"),
        (["hydra.sweep.subdir=x"], r"hydra\.sweep\.subdir: given with -m"),
    ],
)
def test_words_of_a_sweep_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        parse(["-m", *arguments])


def test_combinations_are_those_of_hydra():
    found = expand(["seed=0,1", "agent.gamma=range(3)", "agent.net_arch=[64,64]", "reward=choice(utility,shaped)"], {})
    assert len(found) == 12
    assert found[1].overrides == ("seed=0", "agent.gamma=0", "agent.net_arch=[64,64]", "reward=shaped")
    assert found[1].swept == {"seed": "0", "agent.gamma": "0", "reward": "shaped"}
    assert {each.swept["twin"] for each in expand(["twin=glob(l*)"], {})} == {"lstm"}
    assert [each.overrides for each in expand(["seed=1"], {"agent": "dqn,ddqn"})] == [
        ("agent=dqn", "seed=1"),
        ("agent=ddqn", "seed=1"),
    ]


@pytest.mark.parametrize("nothing", ["seed=range(0)", "seed=range(5,5)", "agent=glob(zz*)"])
def test_a_sweep_of_zero_runs_is_refused(nothing):
    key, value = nothing.split("=")
    with pytest.raises(
        ValueError, match=rf"^{key}: .{re.escape(value)}. given, which has no values, so that there are"
    ):
        expand([nothing, "decisions=200,400"], {})


@pytest.mark.parametrize(
    "overrides",
    [
        ["agent=gan_ddqn", "twin=lstm", "seed=3", "agent.gamma=0.5", "twin.training.max_epochs=8"],
        ["+experiment=quick", "evaluation.seeds=[7]", "agent.learning_rate=1e-4", "algorithm.agent_1.learning_rate=1"],
        ["scenario=diurnal", "scenario.slices.urllc.num_users=8", "+agent.policy_kwargs={a: 1}", "planner.lowest=null"],
        ["agent=planner", "++planner.min_ssr={urllc: 0.9}", "+agent.kwargs.more=1", "env.wrappers=[{_target_: a.b}]"],
    ],
)
def test_shared_compositions_are_those_of_hydra(overrides):
    composer = Composer(TRAIN, ())
    composer.config([*overrides, "seed=1"])  # so that the next one is not the first
    shared = composer.config(overrides)
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        assert shared == compose("train", overrides)


def test_every_combination_is_checked_and_says_why_it_is_refused(tmp_path):
    found = planned(tmp_path, "agent=ddqn,planner,ddqm", "twin=none,lstm", "seed=0,100")
    assert len(found) == 12
    for each in found:
        own = each.combination.swept
        expected = ""
        if own["agent"] == "ddqm":
            expected = "agent: unknown name 'ddqm'; did you mean 'ddqn'"
        elif own["seed"] == "100":
            expected = "evaluation.seeds: 100 is the cell that the agent learns on"
        elif (own["agent"], own["twin"]) == ("planner", "lstm"):
            expected = "twin: 'lstm' given, allowed with a planner is none"
        assert each.error.startswith(expected), own
        assert bool(each.error) == bool(expected), own
    assert not list(tmp_path.iterdir())


def test_keys_that_do_not_exist_are_refused_for_all(tmp_path):
    found = planned(tmp_path, "agent.gama=0.5,0.6", "seed=0,1")
    assert {each.error.partition(" (")[0] for each in found} == {
        "agent.gama: unknown name 'gama'; did you mean 'gamma'?"
    }
    found = planned(tmp_path, "seed=0,text")
    assert [bool(each.error) for each in found] == [False, True]
    assert found[1].error.startswith("seed: text given")


def test_overrides_too_long_for_a_name_of_an_earlier_version_are_as_good_as_others(tmp_path):
    policies = ",".join(f"1-{video}-{99 - video}" for video in range(10, 60))
    found = planned(tmp_path, "seed=0,1", f"evaluation.policies=[{policies}]")
    assert [each.error for each in found] == ["", ""]


def test_a_folder_with_these_runs_is_gone_on_with_only_if_asked(tmp_path):
    write_status(tmp_path / "seed-1", Status("done"))
    with pytest.raises(ValueError, match=r"has 1 of these runs already \(the first is seed-1\); resume=auto goes on"):
        planned(tmp_path, "seed=0,1")
    assert [each.state for each in planned(tmp_path, "seed=0,1", resume=True)] == ["missing", "done"]


def test_folders_that_an_earlier_version_named_are_recognised(tmp_path):
    earlier = tmp_path / "+experiment-random_collection_seed-1_twin-none"
    earlier.mkdir()
    (earlier / "summary.json").touch()
    found = planned(tmp_path, "+experiment=random_collection", "twin=none", "seed=0,1", resume=True)
    assert [each.folder.name for each in found] == ["seed-0", earlier.name]
    assert [each.state for each in found] == ["missing", "done"]


def test_a_run_of_another_configuration_is_not_taken_for_one_of_these(tmp_path):
    from omegaconf import OmegaConf

    (tmp_path / "seed-0" / ".hydra").mkdir(parents=True)
    OmegaConf.save(Composer(TRAIN, ()).config(["decisions=400"]), tmp_path / "seed-0" / ".hydra" / "config.yaml")
    write_status(tmp_path / "seed-0", Status("done"))
    (found,) = planned(tmp_path, "seed=choice(0)", resume=True)
    assert "has another configuration:\n  decisions: 400 there, 1000 given" in found.error
    (found,) = planned(tmp_path, "seed=choice(0)", "decisions=400", resume=True)
    assert not found.error


def test_a_sweep_is_read_as_it_was_written_and_keeps_earlier_runs(tmp_path):
    first = Sweep(
        "train", ("-m", "seed=0,1"), ("seed",), tuple(SweepJob(n, (f"seed={n}",), f"seed-{n}") for n in (0, 1))
    )
    write_sweep(tmp_path, first)
    assert read_sweep(tmp_path) == first
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert content["swept"] == ["seed"]
    assert content["jobs"][1] == {"number": 1, "overrides": ["seed=1"], "folder": "seed-1"}
    second = Sweep(
        "train", ("-m", "seed=1,2"), ("seed",), tuple(SweepJob(n, (f"seed={n + 1}",), f"seed-{n + 1}") for n in (0, 1))
    )
    whole = second.with_earlier(first)
    assert [(job.number, job.folder) for job in whole.jobs] == [(0, "seed-1"), (1, "seed-2"), (2, "seed-0")]
    (tmp_path / "sweep.json").write_text('{"command": "train"}')
    with pytest.raises(ValueError, match="is damaged, or of another version"):
        read_sweep(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no sweep\.json; it is no sweep, or one of an earlier version"):
        read_sweep(tmp_path / "nowhere")
