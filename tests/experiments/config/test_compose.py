"""Every choice of the YAML files composes, and passes its checks; misspelt ones do not."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.config.hydra import CONFIG_FOLDER
from experiments.config.parts import make_scenario, make_twin
from experiments.evaluate.__main__ import prepare as prepare_evaluation
from experiments.offline.__main__ import prepare as prepare_offline
from experiments.train.__main__ import prepare
from slicing_gym import SCENARIOS, get_scenario
from slicing_gym.allocation import MAX_LISTED
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import OWN, composed, raw
from twin import DigitalTwin


def choices(group):
    return sorted(path.stem for path in Path(CONFIG_FOLDER, group).glob("*.yaml") if path.stem[0] != "_")


@pytest.mark.parametrize("agent", choices("agent"))
@pytest.mark.parametrize("head", ["dense", "geometry"])
def test_every_agent_passes_its_checks_with_a_twin(agent, head, tmp_path):
    given = ["agent._target_=agents.DDQN"] if agent == "custom" else []
    config = composed(
        "train", "scenario=paper-1mhz", "progress=false", f"agent={agent}", "twin=lstm", f"agent.head={head}", *given
    )
    if agent == "planner":
        with pytest.raises(ValueError, match="twin: 'lstm' given, allowed with a planner is none"):
            prepare(config, tmp_path)
    elif head != "dense" and agent in ("sb3_dqn", "sb3_qrdqn"):
        with pytest.raises(ValueError, match=f"agent.head: '{head}' given, allowed for .*QN is 'dense'"):
            prepare(config, tmp_path)
    else:
        prepare(config, tmp_path)


@pytest.mark.parametrize("agent", choices("agent"))
@pytest.mark.parametrize("twin", choices("twin"))
def test_every_agent_composes_with_every_twin(agent, twin):
    given = ["agent._target_=agents.DDQN"] if agent == "custom" else []
    for command in ("train", "offline"):
        config = raw(command, f"agent={agent}", f"twin={twin}", *given)
        assert not OmegaConf.missing_keys(config)
        assert json.dumps(OmegaConf.to_container(config, resolve=True))
    made = make_twin(composed("train", f"twin={twin}").twin)
    assert (made is None) == (twin == "none")
    if made is not None:
        own = DigitalTwin(twin)
        assert (made.transition, made.performance, made.training, made.seed) == (
            *(own.transition, own.performance, own.training, own.seed),
        )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_composes_and_passes_its_checks(scenario, tmp_path):
    head = "factored" if get_scenario(scenario).num_allocations > MAX_LISTED else "dense"
    given = ("reward=null", "progress=false", "evaluation.policies=[]", f"agent.head={head}")
    config = composed("train", f"scenario={scenario}", *given)
    prepare(config, tmp_path)
    assert make_scenario(config.scenario, config.reward) == get_scenario(scenario)
    prepare_evaluation(composed("evaluate", f"scenario={scenario}", "policy=[hard]"), tmp_path)


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_composes(experiment, tmp_path):
    if experiment.endswith("_offline"):
        short = ["scenario=paper-1mhz", "decisions=100", "progress=false", "evaluation.policies=[]"]
        assert callable(prepare_offline(composed("offline", f"+experiment={experiment}", *short), tmp_path))
    else:
        assert callable(prepare(composed("train", f"+experiment={experiment}"), tmp_path))


def test_overrides_reach_into_a_scenario():
    config = composed("train", "scenario.slices.urllc.num_users=20", "scenario.radio.resolution_hz=400e3")
    scenario = make_scenario(config.scenario)
    assert scenario.slices[2].num_users == 20
    assert scenario.num_units == 50


def test_composing_copies_what_it_takes_from_the_store_and_not_the_store():
    first = raw("train", "scenario=diurnal")
    first.scenario.slices.urllc.num_users = 7
    first.agent.gamma = 0.123
    again = raw("train", "scenario=diurnal")
    assert again.scenario.slices.urllc.num_users == get_scenario("diurnal").slices[2].num_users != 7
    assert again.agent.gamma != 0.123
    assert deepcopy(ConfigStore.instance()) is ConfigStore.instance()


def test_every_wrapper_key_composes():
    wrapper = {"_target_": f"{OWN}.LogObservation"}
    config = composed("train", f"env.wrappers=[{{_target_: {OWN}.LogObservation}}]", f"imports=[{OWN}]")
    assert (config.env.wrappers, config.env.vector_wrappers) == ([wrapper], [])


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
        raw("train", *overrides)
