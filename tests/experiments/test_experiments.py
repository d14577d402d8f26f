from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import DDQN
from agents.student import StudentPolicy
from experiments.config.hydra import CONFIG_FOLDER, register_configs, with_lists
from experiments.config.parts import scenario_of
from experiments.evaluate import rollout as evaluation
from experiments.evaluate.__main__ import LISTS
from experiments.evaluate.policies import check_policies, label_policies, load_policy, policy_file
from experiments.evaluate.run import evaluate
from experiments.figures import __main__ as figures
from experiments.reporting.statistics import estimate, interquartile_mean, stratified_bootstrap
from experiments.train.check import check_config
from experiments.train.run import train
from slicing_gym import SCENARIOS, get_scenario

register_configs()

ROOT = Path(__file__).resolve().parents[2]


def composed(name, *overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose(name, list(overrides))


def read_rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def choices(group):
    return sorted(path.stem for path in Path(CONFIG_FOLDER, group).glob("*.yaml") if path.stem[0] != "_")


@pytest.mark.parametrize(("agent", "twin"), [*itertools.product(choices("agent"), choices("twin"))])
@pytest.mark.parametrize("head", ["dense", "geometry"])
def test_every_agent_composes_with_every_twin(agent, twin, head):
    given = ["agent._target_=agents.DDQN"] if agent == "custom" else []
    config = composed("train", f"agent={agent}", f"twin={twin}", f"agent.head={head}", *given)
    assert not OmegaConf.missing_keys(config)
    if head != "dense" and agent in ("sb3_dqn", "sb3_qrdqn"):
        with pytest.raises(ValueError, match=f"agent.head: '{head}' given, allowed for .*QN is 'dense'"):
            check_config(config)
    else:
        check_config(config)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_composes_and_passes_its_checks(scenario):
    config = composed("train", f"scenario={scenario}", "reward=null")
    assert not OmegaConf.missing_keys(config)
    assert check_config(config).scenario == get_scenario(scenario)
    config = composed("evaluate", f"scenario={scenario}")
    assert not OmegaConf.missing_keys(config)
    assert scenario_of(config.scenario) == get_scenario(scenario)


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_composes(experiment):
    check_config(composed("train", f"+experiment={experiment}"))


def test_overrides_reach_into_a_scenario():
    config = composed("train", "scenario.slices.urllc.num_users=20", "scenario.radio.resolution_hz=400e3")
    scenario = check_config(config).scenario
    assert scenario.slices[2].num_users == 20
    assert scenario.num_units == 50


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["sed=1"], "sed"),
        (["agent.learnin_rate=1"], "learnin_rate"),
        (["agent=dqnn"], "dqnn"),
        (["scenario=papper"], "papper"),
        (["decisions=many"], "decisions"),
        (["scenario.slices.urllc.num_userz=20"], "num_userz"),
    ],
)
def test_misspelt_overrides_never_compose(overrides, message):
    with pytest.raises((HydraException, OmegaConfBaseException), match=message):
        composed("train", *overrides)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["decisions=0"], "decisions: 0 given, allowed is 1 or more"),
        (["seed=-1"], "seed: -1 given"),
        (["torch_threads=0"], "torch_threads: 0 given"),
        (["reward=shapd"], "reward: unknown name 'shapd'; did you mean 'shaped'"),
        (["evaluation.policies=[rndom]"], "policy: unknown name 'rndom'; did you mean 'random'"),
        (["evaluation.policies=[runs/none/agent.zip]"], "the file 'runs/none/agent.zip' does not exist"),
        (["evaluation.seeds=[]"], "evaluation.seeds: none given"),
        (["evaluation.decisions=0"], "evaluation.decisions: 0 given"),
        (["seed=100"], "evaluation.seeds: 100 is the cell that the agent learns on"),
        (["agent.name=hard"], "agent.name: 'hard' is the name of a policy it is compared with"),
        (["agent.batch_size=0"], "agent.batch_size: 0 given"),
        (["agent.gamma=1.5"], "agent.gamma: 1.5 given"),
        (["agent.learning_rate=0"], "agent.learning_rate: 0.0 given"),
        (["agent.net_arch=[0]"], "agent.net_arch: 0 given"),
        (
            ["agent._target_=stable_baselines3.DQNN"],
            r"agent._target_ \(stable_baselines3\): unknown name 'DQNN'; did you mean 'DQN'",
        ),
        (["agent._target_=builtins.dict"], "agent._target_: 'builtins.dict' is of a module that was not asked for"),
        (["agent._target_=sb3_contrib.nothing.DQN"], r"agent._target_.*sb3_contrib.* unknown name 'nothing'"),
        (["agent._target_=nowhere.DQN"], "agent._target_: 'nowhere.DQN' is of a module that was not asked for"),
        (["agent._target_=stable_baselines3.PPO"], "agent._target_: 'stable_baselines3.PPO' is not off-policy"),
        (["scenario.slices.urllc.traffic=3"], "slices.urllc.traffic: 3 given"),
        (["scenario.slices.urllc.num_users=0"], "slices.urllc.num_users: 0 given"),
        (["scenario.radio.resolution_hz=3e5"], "does not divide"),
        (["+scenario.slices.urllc.nonsense=1"], "slices.urllc: unknown name 'nonsense'"),
    ],
)
def test_bad_values_are_refused_before_anything_runs(overrides, message, tmp_path):
    config = composed("train", *overrides)
    with pytest.raises(SystemExit, match=message):
        train(config, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(composed("train", "+experiment=debug"), folder)
    return folder


def test_a_run_leaves_what_it_promises(run):
    assert {path.name for path in run.iterdir()} == {
        "agent.zip",
        "history.npz",
        "episodes.csv",
        "evaluation.csv",
        "summary.json",
        "training.png",
        "tensorboard",
    }
    rounds = read_rows(run / "episodes.csv")
    assert [(row["round"], row["decisions"]) for row in rounds] == [("1", "200"), ("2", "200")]
    assert (run / "training.png").read_bytes().startswith(b"\x89PNG")


def test_a_round_cut_short_is_logged_as_such(tmp_path):
    train(composed("train", "+experiment=debug", "decisions=250", "evaluation.policies=[hard]"), tmp_path)
    assert [row["decisions"] for row in read_rows(tmp_path / "episodes.csv")] == ["200", "50"]


def test_the_reward_is_the_scenarios_unless_overridden():
    assert check_config(composed("train", "scenario.reward.kind=clip", "reward=null")).scenario.reward.kind == "clip"
    assert (
        check_config(composed("train", "scenario.reward.kind=clip", "reward=utility")).scenario.reward.kind == "utility"
    )


def test_agents_are_called_by_the_shortest_name_that_tells_them_apart():
    names = ["hard", "runs/a/seed-0/agent.zip", "runs/b/seed-0/agent.zip", "runs/b/seed-1/agent.zip"]
    assert list(label_policies(names).values()) == ["hard", "seed-0 (a/seed-0)", "seed-0 (b/seed-0)", "seed-1"]
    alike = ["hard", "runs/hard/agent.zip", "x/agent.zip", "x/student.safetensors"]
    assert list(label_policies(alike).values()) == ["hard", "hard (hard)", *alike[2:]]


def test_agents_are_called_as_their_runs_called_them(tmp_path):
    names = []
    for folder, *figures_of in (
        ("a", "ddqn", 0),
        ("b", "ddqn", 1),
        ("c", "ddqn-dt", 1),
        ("d", "dqn", 2),
        ("e", "dqn", 2),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "agent.zip").touch()
        summary = dict(zip(("agent", "seed"), figures_of, strict=True))
        (tmp_path / folder / "summary.json").write_text(json.dumps(summary))
        names.append(str(tmp_path / folder))
    told = ["ddqn seed 0", "ddqn seed 1", "ddqn-dt", "dqn seed 2 (d)", "dqn seed 2 (e)"]
    assert list(label_policies(names).values()) == told
    assert list(label_policies(names[1:4]).values()) == ["ddqn", "ddqn-dt", "dqn"]


def test_a_policy_is_found_in_its_folder(run, tmp_path):
    assert policy_file(str(run)) == str(run / "agent.zip")
    check_policies([str(run)], get_scenario("paper-1mhz"))
    StudentPolicy("paper-1mhz", hidden=2, seed=0).save(tmp_path / "student.safetensors")
    assert policy_file(str(tmp_path)) == str(tmp_path / "student.safetensors")
    assert [policy_file(name) for name in ("hard", "tests")] == ["hard", "tests"]
    with pytest.raises(ValueError, match=r"policy: unknown name 'tests'.* or the folder that has it"):
        check_policies(["tests"], get_scenario("paper-1mhz"))


def test_a_file_that_holds_no_agent_is_refused(tmp_path):
    (tmp_path / "agent.zip").write_text("nothing")
    config = composed("evaluate", f"policy=['{tmp_path / 'agent.zip'}']", "scenario=paper-1mhz")
    with pytest.raises(SystemExit, match=r"policy: '.*agent\.zip' is not an agent's file, or is damaged"):
        evaluate(config, tmp_path / "out")


def test_tensorboard_has_the_curves(run):
    events = EventAccumulator(str(run / "tensorboard" / "real"))
    events.Reload()
    tags = {
        "reward",
        "reward_at_c_max",
        "utility",
        "ssr_volte",
        "ssr_video",
        "ssr_urllc",
        "spectral_efficiency",
        "threshold",
    }
    assert {f"episode/{tag}" for tag in tags} <= set(events.Tags()["scalars"])
    rounds = read_rows(run / "episodes.csv")
    for tag in tags:
        logged = events.Scalars(f"episode/{tag}")
        assert [point.step for point in logged] == [200, 400]
        np.testing.assert_allclose([point.value for point in logged], [float(row[tag]) for row in rounds], atol=1e-5)


def test_the_same_seed_trains_the_same_agent(run, tmp_path):
    train(composed("train", "+experiment=debug"), tmp_path)
    assert (tmp_path / "episodes.csv").read_bytes() == (run / "episodes.csv").read_bytes()
    assert (tmp_path / "evaluation.csv").read_bytes() == (run / "evaluation.csv").read_bytes()
    mine, theirs = DDQN.load(tmp_path / "agent.zip"), DDQN.load(run / "agent.zip")
    for one, other in zip(mine.policy.parameters(), theirs.policy.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), other.detach().numpy())


def test_evaluate_compares_baselines_and_saved_agents(run, tmp_path, capsys):
    agent = str(run / "agent.zip")
    (listed,) = with_lists([f"policy=random,hard,proportional,best_fixed,one_step_oracle,1-18-1,{agent}"], LISTS)
    config = composed("evaluate", listed, "scenario=paper-1mhz", "seeds=[0,1,2]", "decisions=20", "progress=false")
    evaluate(config, tmp_path)
    printed = capsys.readouterr().out
    assert "headroom (one_step_oracle - best fixed)" in printed
    rows = read_rows(tmp_path / "evaluation.csv")
    assert len(rows) == 7 * 3
    utility = {
        name: np.mean([float(r["utility"]) for r in rows if r["policy"] == name])
        for name in {r["policy"] for r in rows}
    }
    assert utility["one_step_oracle"] >= utility["best_fixed"] > utility["hard"] > 5.0
    assert "ddqn" in utility
    assert utility["1-18-1"] == utility["best_fixed"]
    assert (tmp_path / "evaluation.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["policy=[hardd]"], "policy: unknown name 'hardd'; did you mean 'hard'"),
        (["policy=[]"], "policy: none given"),
        (["policy=[hard,hard]"], "policy: 'hard' is given more than once"),
        (["policy=[1-94-4]"], r"units: \[1, 94, 4\] given, allowed are 3 numbers of 1 or more that sum to 100"),
        (["seeds=[]"], "seeds: none given"),
        (["seeds=[-1]"], "seeds: -1 given"),
        (["seeds=[3,3]"], "seeds: .* allowed are different ones"),
        (["decisions=0"], "decisions: 0 given"),
        (["threads=0"], "threads: 0 given"),
    ],
)
def test_bad_evaluations_are_refused(overrides, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        evaluate(composed("evaluate", *overrides), tmp_path)


def test_an_agent_of_another_scenario_is_refused(run, tmp_path):
    config = composed("evaluate", f"policy=['{run / 'agent.zip'}']", "scenario=paper")
    with pytest.raises(SystemExit, match="chooses among 171 actions, scenario 'paper' has 4851"):
        evaluate(config, tmp_path)


def test_policies_meet_the_same_luck():
    scenario = get_scenario("paper-1mhz")
    envs = evaluation.make_cells(scenario, 3)
    policies = {name: load_policy("hard", scenario, envs, 1) for name in ("one", "other")}
    one, other = evaluation.compare(scenario, policies, envs, [4, 5, 6], decisions=5)
    np.testing.assert_array_equal(one.utility, other.utility)
    assert len(set(one.utility)) == 3


def test_rounds_follow_one_another_in_an_evaluation():
    """More decisions than a round: the figures of the last decision of a round are not lost to the reset."""
    scenario = get_scenario("paper-1mhz").replace(decisions_per_episode=3)
    envs = evaluation.make_cells(scenario, 2)
    hard = load_policy("hard", scenario, envs, 1)
    result = evaluation.evaluate_policy("hard", hard, envs, [0, 1], decisions=7)
    assert (result.utility > 5.0).all()
    assert (result.ssr > 0.9).all()


def test_interval_is_students():
    mean, half = estimate([1.0, 2.0, 3.0, 4.0])
    assert mean == 2.5
    assert half == pytest.approx(3.1824 * np.sqrt(5 / 3) / 2, rel=1e-4)
    assert str(estimate([1.0])) == "1.000"


def test_interquartile_mean_is_that_of_the_middle_half():
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 700.0]) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean([3.0, 1.0, 2.0, 90.0, -50.0]) == pytest.approx(2.0)
    np.testing.assert_allclose(interquartile_mean(np.arange(12.0).reshape(4, 3)), [4.5, 5.5, 6.5])
    assert interquartile_mean([1.0, 2.0, 3.0, 4.0, np.inf]) == pytest.approx(3.0)


def test_bootstrap_interval_holds_the_truth_as_often_as_it_says():
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        band = stratified_bootstrap([generator.normal(3.0, 1.0, 20)], np.mean, resamples=200, seed=1)
        held += bool(band.low <= 3.0 <= band.high)
    assert 0.87 <= held / 200 <= 0.99


def test_of_one_run_there_is_no_interval():
    alone = stratified_bootstrap([[3.25]])
    assert alone.show(2) == "3.25"
    assert np.isnan([alone.low, alone.high]).all()
    assert stratified_bootstrap([[3.25, 3.25]]).show(2) == "3.25 [3.25, 3.25]"


def test_bootstrap_draws_within_strata():
    """Two scenarios far apart: drawn together, their mixture would vary; within strata nothing does."""
    band = stratified_bootstrap([[0.0, 0.0, 0.0], [10.0, 10.0]], np.mean)
    assert (band.value, band.low, band.high) == (4.0, 4.0, 4.0)
    curves = np.random.default_rng(0).normal(size=(6, 4))
    one, same = stratified_bootstrap([curves], seed=3), stratified_bootstrap([curves], seed=3)
    np.testing.assert_array_equal(one.low, same.low)
    assert (one.low < one.value).all()
    assert (one.value < one.high).all()
    with pytest.raises(ValueError, match="strata: an empty one given"):
        stratified_bootstrap([[1.0], []])


def test_composed_config_is_plain_data():
    assert json.dumps(OmegaConf.to_container(composed("train"), resolve=True))


@pytest.fixture(scope="module")
def methods(tmp_path_factory):
    """Two seeds of an agent, with and without a twin."""
    folder = tmp_path_factory.mktemp("methods")
    twin = ["twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.performance.members=2"]
    for seed in (0, 1):
        common = ["+experiment=debug", f"seed={seed}", "evaluation.policies=[random]", "agent.net_arch=[16]"]
        train(composed("train", *common, "decisions=600"), folder / f"plain-{seed}")
        train(composed("train", *common, *twin), folder / f"twin-{seed}")
    return folder


def test_convergence_figure_is_drawn_from_runs(methods, tmp_path, capsys):
    figures.main(["convergence", str(methods), "--output", str(tmp_path / "picture.png")])
    printed = capsys.readouterr().out
    assert (tmp_path / "picture_paper-1mhz_dense.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture_paper-1mhz_dense.csv")
    assert len(rows) == 2 * 3 + 2 * 2
    own = read_rows(methods / "twin-1" / "episodes.csv")
    mine = [row for row in rows if (row["agent"], row["seed"]) == ("ddqn-dt", "1")]
    np.testing.assert_allclose([float(r["utility"]) for r in mine], [float(r["utility"]) for r in own], rtol=1e-5)
    runs = read_rows(tmp_path / "picture_paper-1mhz_dense_runs.csv")
    for row in runs:
        folder = methods / f"{'twin' if row['agent'] == 'ddqn-dt' else 'plain'}-{row['seed']}"
        summary = json.loads((folder / "summary.json").read_text())
        assert float(row["utility"]) == summary["utility"]
    for method in ("ddqn", "ddqn-dt"):
        (line,) = [line for line in printed.splitlines() if line.split()[:1] == [method]]
        mean = np.mean([float(row["utility"]) for row in runs if row["agent"] == method])
        assert f"{mean:.3f} [" in line
    random = [float(row["utility"]) for row in rows if row["agent"] == "ddqn-dt" and row["round"] == "1"]
    (line,) = [line for line in printed.splitlines() if line.startswith("random")]
    assert float(line.split()[4]) == pytest.approx(np.mean(random), abs=0.15)  # a first round is random decisions
    shutil.copytree(methods / "twin-1", methods / "again" / "twin-1")
    with pytest.raises(SystemExit, match="ddqn-dt/1 is there twice"):
        figures.main(["convergence", str(methods)])
    shutil.rmtree(methods / "again")
    with pytest.raises(SystemExit, match=r"no finished run"):
        figures.main(["convergence", str(tmp_path / "empty")])


def test_headroom_figure_is_drawn_from_runs(tmp_path):
    for scenario in ("paper-1mhz", "gan-ddqn"):
        options = ["policy=[hard,best_fixed,one_step_oracle]", "seeds=[0,1]", "decisions=3", "progress=false"]
        evaluate(composed("evaluate", f"scenario={scenario}", *options), tmp_path / scenario)
    figures.main(["headroom", str(tmp_path), "--output", str(tmp_path / "picture.png")])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    rows = read_rows(tmp_path / "picture.csv")
    assert len(rows) == 2 * 3 * 2
    evaluated = read_rows(tmp_path / "paper-1mhz" / "evaluation.csv")
    assert {(row["policy"], row["seed"], row["utility"]) for row in rows} >= {
        (row["policy"], row["seed"], row["utility"]) for row in evaluated
    }
    changed = ["scenario.slices.urllc.num_users=64", "policy=[hard]", "seeds=[0,1]", "decisions=3", "progress=false"]
    evaluate(composed("evaluate", "scenario=paper-1mhz", *changed), tmp_path / "same-name")
    with pytest.raises(SystemExit, match="give scenarios that differ different names"):
        figures.main(["headroom", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"no evaluation\.csv below"):
        figures.main(["headroom", str(tmp_path / "empty")])
    with pytest.raises(SystemExit):
        figures.main(["hedroom", str(tmp_path)])
