"""What is refused on a command line is one line that begins with the key, and says what is allowed or to type."""

from __future__ import annotations

import re

import pytest

from experiments.benchmark_suite.methods import BENCHMARKED, OnPolicyMethod, own_method
from experiments.calibration.__main__ import prepare as prepare_calibration
from experiments.calibration.settings import CalibrationConfig
from experiments.config.agents import RESERVED
from experiments.config.hydra import composed, composed_folder, register, settings_of, without_hydra
from experiments.evaluate.__main__ import prepare as prepare_evaluation
from experiments.evaluate.settings import EvaluateConfig
from experiments.offline.__main__ import prepare as prepare_offline
from experiments.offline.settings import OfflineConfig
from experiments.train.__main__ import prepare
from experiments.train.settings import TrainConfig
from slicing_gym.errors import check_integer, unknown_name


def refusal(name, schema, prepare, arguments, folder):
    """What a command answers."""
    register(name, schema)

    def answer():
        config = composed(name, arguments)
        composed_folder(config)
        prepare(settings_of(without_hydra(config), schema), folder)

    with pytest.raises((ValueError, TypeError)) as raised:
        answer()
    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=abc"], "seed: abc given, allowed is a whole number"),
        (["seed=[1]"], "seed: [1] given, allowed is a whole number"),
        (["agent.gamma=[a"], "agent.gamma: [a given, which cannot be read; a text with other"),
        (["torch_threads=half", "seed=1"], "torch_threads: half given, allowed is a whole number"),
        (["seed=1,2"], "seed: 1,2 given, allowed is one; a list is typed [1,2], a sweep with -m"),
        (["seed=range(3)"], "seed: range(3) given, allowed is one; a sweep is typed with -m"),
        (
            ["seed=0-2"],
            "seed: 0-2 given, allowed is a whole number; a sweep is typed -m seed=0,1,2, or -m 'seed=range(0,3)'",
        ),
        (["seed=2-0"], "seed: 2-0 given, allowed is a whole number"),
        (
            ["evaluation.seeds=4"],
            "evaluation.seeds: 4 given, allowed is a list, typed evaluation.seeds=[4], or for 4 of them "
            "evaluation.seeds=[0,1,2,3]",
        ),
        (
            ["evaluation.seeds=7-900"],
            "evaluation.seeds: 7-900 given, allowed is a list of all the numbers",
        ),
        (["evaluation.seeds=7-9"], "evaluation.seeds: 7-9 given, allowed is a list, typed evaluation.seeds=[7,8,9]"),
        (["agent.net_arch=64"], "agent.net_arch: 64 given, allowed is a list, typed agent.net_arch=[64]"),
        (
            ["evaluation.policies=[1,2,168]"],
            "evaluation.policies: 1,2,168 given, allowed are names; an allocation is typed with hyphens, as 1-2-168",
        ),
        (
            ["agent.kwargs.learning_rte=0.1"],
            "agent.kwargs.learning_rte: unknown name 'learning_rte'; did you mean 'learning_rate'? "
            "type agent.learning_rate=0.1",
        ),
        (
            ["agent.kwargs.n_step=3"],
            "agent.kwargs.n_step: unknown name 'n_step'; did you mean 'n_steps'? type +agent.kwargs.n_steps=3",
        ),
        (["agent.kwargs.sed=3"], "agent.kwargs.sed: unknown name 'sed' (allowed: "),
        (["agent.kwargs.seed=3"], "agent.kwargs.seed: unknown name 'seed'; there is seed (allowed: batch_size, "),
        (["agent.kwargs.n_steps=3"], "agent.kwargs.n_steps: not there; type +agent.kwargs.n_steps=3 for a new key"),
        (["agent=custom", "agent.kwargs.n_step=3"], "agent.kwargs.n_step: not there; type +agent.kwargs.n_step=3"),
        (["plain=true"], "plain: unknown name 'plain'; it is called without_twin now (allowed: "),
        (["seed=???"], "seed: not given"),
        (["twin.transition=???"], "twin.transition: not given"),
        (["seed=${nope}"], "seed: Interpolation key 'nope' not found"),
        (["device=${oc.env:NOT_THERE}"], "device: KeyError raised while resolving interpolation: "),
        (["agent.kwargs=${device}"], "agent.kwargs: "),
        (["hydra.run.dir=${nope}"], "hydra.run.dir: Interpolation key 'nope' not found"),
        (["~scenario"], "hydra.run.dir: Interpolation key 'scenario.name' not found"),
        (["~evaluation.seeds"], "evaluation.seeds: it cannot be left out (~): "),
        (["+seed=3"], "seed: it is there already; type seed=3"),
        (["+agent=dqn"], "agent: it is chosen already; type agent=dqn"),
        (["experiment=debug"], "experiment: none is chosen by default; type +experiment=debug"),
        (["seeds=0,1"], "seeds: unknown name 'seeds'; did you mean 'seed'? there is evaluation.seeds, too ("),
        (["seed=0,1"], "seed: 0,1 given, allowed is one; a list is typed [0,1], a sweep with -m"),
        (["agent=ppo"], "agent: ppo given, allowed are off-policy algorithms (custom, ddqn, dqn, "),
        (["agent=sb3_a2c"], "agent: sb3_a2c given, allowed are off-policy algorithms (custom, ddqn, dqn, "),
        (["agent=3"], "agent: 3 given, allowed is the name of a choice"),
        (["agent.lr=1"], "agent.lr: unknown name 'lr'; did you mean 'learning_rate'? (allowed: "),
        (["agent.learn=1"], "agent.learn: unknown name 'learn'; did you mean 'learning_"),
        (["agent={gama: 1}"], "agent.gama: unknown name 'gama'; did you mean 'gamma'? (allowed: "),
        (["scenario=[paper,a.yaml]"], "scenario: unknown name 'a.yaml' (allowed: "),
        (["agent=[ddqn,'a b']"], "agent: unknown name \"'a b'\" (allowed: "),
        (
            ["twin=none", "twin.seed=???"],
            "twin.seed: not there with twin=none; settings are allowed with twin=lstm, twin=transformer",
        ),
        (["twin=none", "twin={seed: 3}"], "twin.seed: not there with twin=none; settings are allowed with twin=lstm"),
        (
            ["twin=none", "twin.transition.members=3"],
            "twin.transition.members: not there with twin=none; settings are allowed with",
        ),
        (["seed"], "'seed' given, allowed is <key>=<value>, or ~<key>"),
        (["=3"], "'=3' given, allowed is <key>=<value>, or ~<key>"),
        (["seed.a=1"], "seed.a: not there, as seed is 0, which has no keys"),
        (
            ["agent.policy_kwargs.head=dense"],
            "agent.policy_kwargs.head: not there; type agent.head=dense, or +agent.policy_kwargs.head=dense",
        ),
        (
            ["planner.min_ssr.urllc=0.9"],
            "planner.min_ssr.urllc: not there, as planner.min_ssr is null; type +planner.min_ssr.urllc=0.9, or "
            "'planner.min_ssr={urllc: 0.9}'",
        ),
        (["twin=lstm", "twin.transition=nan"], "twin.transition: nan given, allowed are keys and values"),
        (["twin=lstm", "twin.transition=abc"], "twin.transition: 'abc' given, allowed are keys and values"),
        (["twin=lstm", "twin.transition.members=0"], "twin.transition.members: 0 given"),
        (["twin=lstm", "twin.seed=x"], "twin.seed: 'x' is not a whole number"),
        (["twin=lstm", "decisions=3"], "decisions: 3 given, allowed is 8 or more"),
        (["scenario.reward.kind=abc"], "scenario.reward.kind: unknown name 'abc'"),
        (["scenario.slices=abc"], "scenario.slices: 'abc' is not a mapping"),
        (["scenario.radio.bandwidth_hz=-1"], "scenario.radio.bandwidth_hz: -1 given"),
        (
            ["scenario=nr-8slices", "agent=sb3_dqn"],
            "agent._target_: 'stable_baselines3.DQN' given, which has an output",
        ),
        (["evaluation.policies=[abc]"], "evaluation.policies: unknown name 'abc'"),
    ],
)
def test_the_key_and_what_to_type(arguments, message, tmp_path):
    said = refusal("train", TrainConfig, prepare, ["scenario=paper-1mhz", "progress=false", *arguments], tmp_path)
    assert said.startswith(message)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("seed=200-900", "200-900 given, allowed is a whole number; a sweep is typed -m 'seed=range(200,901)'"),
        ("evaluation.seeds=500", "500 given, allowed is a list, typed evaluation.seeds=[500]"),
        ("evaluation.seeds=11", "11 given, allowed is a list, typed evaluation.seeds=[11]"),
    ],
)
def test_nothing_is_offered_that_cannot_be_typed(typed, message, tmp_path):
    assert refusal("train", TrainConfig, prepare, [typed], tmp_path) == f"{typed.partition('=')[0]}: {message}"


def test_what_agents_are_not_given_by_kwargs_is_not_offered_there(tmp_path):
    said = refusal("train", TrainConfig, prepare, ["agent.kwargs.sed=3"], tmp_path)
    offered = said.partition("(allowed: ")[2].rstrip(")").split(", ")
    assert "n_steps" in offered
    assert not {*RESERVED} & {*offered}


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("learning_rate=0.1", "agent.learning_rate, algorithm.agent_1.learning_rate, twin.performance.learning_rate"),
        ("gamma=0.9", "agent.gamma, planner.gamma"),
        ("agent.horizon=2", "planner.horizon"),
        ("algorithm.decisions=2", "decisions, evaluation.decisions"),
        ("algorithm.members=2", "twin.performance.members, twin.transition.members"),
    ],
)
def test_a_key_that_stands_elsewhere_in_the_configuration(typed, there, tmp_path):
    key = typed.partition("=")[0]
    said = refusal("train", TrainConfig, prepare, ["twin=lstm", typed], tmp_path)
    name = key.rpartition(".")[2]
    assert said.startswith(f"{key}: unknown name {name!r}; there is {there} (allowed: ")


def test_what_runs_an_on_policy_algorithm_is_named_and_there(tmp_path):
    said = refusal("train", TrainConfig, prepare, ["agent=ppo"], tmp_path)
    method, own = re.search(
        r"experiments\.benchmark_suite methods=(\w+), or own\.name=\w+ own\._target_=(\S+)$", said
    ).groups()
    assert isinstance(BENCHMARKED[method], OnPolicyMethod)
    assert isinstance(own_method("own", own, None), OnPolicyMethod)


def test_a_reward_of_a_command_that_learns_nothing(tmp_path):
    said = refusal("evaluate", EvaluateConfig, prepare_evaluation, ["reward=utility"], tmp_path)
    assert said.startswith("reward: unknown name 'reward'; it is what agents learn from")
    assert "policies are compared by U, whatever the reward (allowed: decisions, " in said


def test_the_keys_named_for_real_decisions_are_there(tmp_path):
    said = refusal("train", TrainConfig, prepare, ["twin=lstm", "algorithm.real_decisions=300"], tmp_path)
    assert said.startswith("algorithm.real_decisions: unknown name 'real_decisions'; all real decisions of ")
    named = [key.replace("<number>", "300") for key in re.findall(r"[\w.]+=<number>", said)]
    config = composed("train", ["twin=lstm", *named])
    assert (config.decisions, config.algorithm.collect) == (300, 300)


def test_keys_that_a_command_lacks_are_not_named_for_real_decisions(tmp_path):
    for name, schema, check in (
        ("evaluate", EvaluateConfig, prepare_evaluation),
        ("offline", OfflineConfig, prepare_offline),
    ):
        said = refusal(name, schema, check, ["real_decisions=300"], tmp_path)
        assert said.startswith("real_decisions: unknown name 'real_decisions'")
        assert "experiments.train" not in said


@pytest.mark.parametrize("typed", ["+planner.min_ssr.urllc=0.9", "planner.min_ssr={urllc: 0.9}"])
def test_what_it_says_to_type_is_taken(typed):
    register("train", TrainConfig)
    settings = settings_of(without_hydra(composed("train", [typed])), TrainConfig)
    assert settings.planner.min_ssr == {"urllc": 0.9}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("change.slices=abc", "change.slices: 'abc' is not a mapping of name to slice"),
        ("+change.slices.urlc=3", "change.slices: unknown name 'urlc'; did you mean 'urllc'"),
        ("+change.radio=3", "change.radio: 3 is not a mapping"),
        ("+change.rewardd=3", "change: unknown name 'rewardd'; did you mean 'reward'"),
    ],
)
def test_changes_are_named_as_they_were_typed(change, message, tmp_path):
    said = refusal("calibration", CalibrationConfig, prepare_calibration, ["twin=lstm", change], tmp_path)
    assert said.startswith(message)


def test_bounds_that_nothing_meets_and_names_that_are_none_are_said_so():
    with pytest.raises(ValueError, match=r"^last: 1 given, allowed is none here: 64 or more, and 3 at most$"):
        check_integer("last", 1, at_least=64, at_most=3)
    assert unknown_name("key", "a", []) == "key: unknown name 'a' (allowed: none)"
    assert unknown_name("key", "reward", ["threads", "seeds"]) == "key: unknown name 'reward' (allowed: seeds, threads)"
    assert unknown_name("key", "zaz", {"za", "b"}).endswith("did you mean 'za'? (allowed: b, za)")  # whatever was given
