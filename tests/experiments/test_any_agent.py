"""One contract for all that go through the loops: our agents, Stable-Baselines3's, sb3-contrib's and a user's own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from stable_baselines3.dqn.policies import DQNPolicy

from agents import SlicePolicy
from agents.hooks import action_values, has_hook
from agents.registry import import_modules
from experiments.config.hydra import CONFIG_FOLDER, register_configs
from experiments.distill.run import run as distill
from experiments.evaluate.policies import load_policy
from experiments.evaluate.rollout import evaluate_policy, make_cells
from experiments.export.run import export
from experiments.offline.run import offline
from experiments.runs import checkpoint
from experiments.train.algorithm_1 import Algorithm
from experiments.train.check import check_config
from experiments.train.run import train
from slicing_gym import get_scenario
from tests.helpers.own_agents import SoftTargets

register_configs()

OWN = "tests.own_agents"
SOFT = ["agent=custom", "agent.name=soft", f"agent._target_={OWN}.SoftTargets"]
SCRATCH = ["agent=custom", "agent.name=scratch", f"agent._target_={OWN}.FromScratch"]
EXTRACTOR = (
    f"+agent.policy_kwargs={{features_extractor_class: {OWN}.Logarithms, features_extractor_kwargs: {{width: 6}}}}"
)
KINDS = {
    "dqn": ["agent=dqn"],
    "ddqn": ["agent=ddqn"],
    "gan_ddqn": ["agent=gan_ddqn", "agent.twin_gradient_steps=1"],
    "sb3_dqn": ["agent=sb3_dqn"],
    "sb3_dqn of 3 steps": ["agent=sb3_dqn", "+agent.kwargs.n_steps=3"],
    "sb3_qrdqn": ["agent=sb3_qrdqn"],
    "subclass": [*SOFT, "+agent.kwargs.temperature=0.2"],
    "extractor": ["agent=sb3_dqn", EXTRACTOR],
    "from scratch": [*SCRATCH, "+agent.kwargs.epsilon=0.1"],
}
TRUST = {"subclass": ["trust=true"]}
"""Its file holds a tensor of its own, which only a pickle could."""
TINY = [
    *("+experiment=debug", "agent.net_arch=[16,16]", f"imports=[{OWN}]", "decisions=280", "algorithm.fine_tune=40"),
    "algorithm.agent_1.learning_rate=0.01",  # so that fine-tuning makes a difference
    *("algorithm.twin_decisions=512", "algorithm.later_twin_decisions=384", "evaluation.policies=[random]"),
]
TWIN = [
    *("twin=lstm", "twin.training.max_epochs=2", "twin.transition.members=1", "twin.transition.hidden_size=8"),
    *("twin.performance.members=1", "twin.performance.hidden_size=8"),
]


def composed(name, *overrides):
    with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
        return compose(name, list(overrides))


@pytest.fixture(autouse=True, scope="module")
def _asked_for():
    import_modules([OWN, __name__])


@pytest.fixture(scope="module", params=KINDS, ids=[name.replace(" ", "-") for name in KINDS])
def finished(request, tmp_path_factory):
    """A run with a twin that was not interrupted, and its configuration."""
    folder = tmp_path_factory.mktemp("whole")
    overrides = [*TINY, *TWIN, *KINDS[request.param]]
    train(composed("train", *overrides), folder)
    (folder / ".hydra").mkdir()
    from omegaconf import OmegaConf

    OmegaConf.save(composed("train", *overrides), folder / ".hydra" / "config.yaml")
    return request.param, overrides, folder


def learned(folder):
    summary = json.loads((folder / "summary.json").read_text())
    return summary["learned"], (folder / "episodes.csv").read_bytes()


def interrupted(config, folder, decisions):
    """One run that was not interrupted, one saved after so many decisions and stopped later, and one from there."""
    names = ("whole", "part", "part")
    whole, part, again = (Algorithm(config, check_config(config), folder / name) for name in names)
    whole.run()

    class StoppedError(Exception):
        pass

    def stop():
        if part.monitor.decisions == decisions:
            part._save()
        if part.monitor.decisions == decisions + 7:
            raise StoppedError

    part.monitor._on_settled = stop
    with pytest.raises(StoppedError):
        part.run()
    again.resume()
    assert again.monitor.decisions == decisions
    again.run()
    return whole, part, again


KILL = """
import os, signal, sys
from hydra import compose, initialize_config_dir
from experiments.config import CONFIG_FOLDER, register_configs
from experiments.monitor import RoundMonitor
from experiments.train import train
from pathlib import Path
register_configs()
told = RoundMonitor.on_decision
def die(monitor, experience):
    told(monitor, experience)
    if monitor.decisions == 263:
        os.kill(os.getpid(), signal.SIGKILL)
RoundMonitor.on_decision = die
with initialize_config_dir(CONFIG_FOLDER, version_base="1.3"):
    config = compose("train", sys.argv[2:])
train(config, Path(sys.argv[1]))
"""


def test_it_goes_through_both_loops_and_is_the_same_after_a_kill(finished, tmp_path):
    """Killed while it is fine-tuned for the second time, its weights from the twin, its history and replay resumed."""
    _, overrides, folder = finished
    killed = subprocess.run([sys.executable, "-c", KILL, str(tmp_path), *overrides], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    header, _ = checkpoint.read(tmp_path / checkpoint.FILE)
    assert (header["iterations"], header["next_step"]) == (1, 3)
    train(composed("train", *overrides, "resume=auto"), tmp_path)
    assert learned(tmp_path) == learned(folder)
    for name in ("history.npz", "evaluation.csv"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_without_a_twin_it_goes_on_from_any_decision(finished, tmp_path):
    kind, _, _ = finished
    overrides = [*TINY, *KINDS[kind], "decisions=90", "checkpoint_s=1000", "agent.learning_starts=20"]
    config = composed("train", *overrides)
    whole, part, again = interrupted(config, tmp_path, 53)
    assert again.agent.digest() == whole.agent.digest() != part.agent.digest()
    assert (again.folder / "episodes.csv").read_bytes() == (whole.folder / "episodes.csv").read_bytes()


def test_its_file_chooses_as_it_did(finished):
    kind, _, folder = finished
    scenario = get_scenario("paper-1mhz")
    cells = make_cells(scenario, 2)
    policy = load_policy(str(folder), scenario, cells, 1, trust=kind in TRUST)
    found = evaluate_policy("", policy, cells, [100, 101], 20)
    row = next(row for row in (folder / "evaluation.csv").read_text().splitlines()[1:] if "random" not in row)
    assert float(row.split(",")[3]) == pytest.approx(found.utility[0], abs=1e-6)


def test_it_teaches_a_student_by_arg_max_and_ends_as_a_file(finished, tmp_path):
    """What has no `action_values` is exported through its student."""
    kind, _, folder = finished
    trust = TRUST.get(kind, [])
    short = ["updates=60", "hidden=[4]", "evaluation.seeds=[100]", "evaluation.decisions=10", "progress=false", *trust]
    distill(composed("distill", f"teacher={folder}", f"imports=[{OWN}]", *short), tmp_path / "students")
    (student,) = (tmp_path / "students").rglob("student.safetensors")
    scenario = get_scenario("paper-1mhz")
    agent = load_policy(str(folder), scenario, make_cells(scenario, 1), 1, trust=bool(trust))
    source = folder if has_hook(action_values, type(agent)) else student
    common = [f"imports=[{OWN}]", "states=150", "progress=false", *trust]
    export(composed("export", f"policy='{source}'", *common), tmp_path)
    deployed = SlicePolicy(tmp_path / "policy.onnx")
    assert sum(deployed.decide([100.0, 1750.0, 9.0]).units) == 20
    if source == student:
        with pytest.raises(SystemExit, match=r"FromScratch has no action_values to export; .* export a student of it"):
            export(composed("export", f"policy='{folder}'", *common), tmp_path)


def test_it_learns_from_its_history_without_a_conservative_term(finished, tmp_path):
    kind, _, folder = finished
    short = ["algorithm.epochs=2", "estimate.epochs=1", "evaluation.seeds=[]", "evaluation.policies=[]"]
    common = [f"history='{folder}'", f"imports=[{OWN}]", "progress=false", "agent.net_arch=[16,16]", *KINDS[kind]]
    offline(composed("offline", *common, *short, "algorithm.conservative_weight=0"), tmp_path)
    found = json.loads((tmp_path / "offline.json").read_text())
    assert np.isfinite(found["estimates"]["fitted_q"])
    known = kind not in ("subclass", "from scratch")
    if not known:  # nothing says what their loss is
        with pytest.raises(SystemExit, match=r"conservative_weight=0\.1: not possible with .* lacks the hook td_loss"):
            offline(composed("offline", *common, *short), tmp_path)


class Keeps(SoftTargets):
    """Holds something that no checkpoint can."""

    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments)
        self.kept = {"a": [object()]}


BUFFER = ["+agent.kwargs.replay_buffer_class=stable_baselines3.common.buffers.ReplayBuffer"]
HERE = [f"agent._target_={__name__}.Keeps", "agent=custom"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["agent=custom"], r"agent\._target_: not given, allowed is the dotted name of an off-policy algorithm"),
        (["agent=custom", "agent._target_=stable_baselines3.PPO"], r"'stable_baselines3\.PPO' is not off-policy"),
        (["agent=custom", "agent._target_=stable_baselines3.SAC"], r"'stable_baselines3\.SAC' does not take Discrete"),
        (["agent=custom", "agent._target_=stable_baselines3.DQM"], "unknown name 'DQM'; did you mean 'DQN'"),
        (["agent=custom", "agent._target_=my_own.Agent"], r"not asked for; type imports=\[my_own\] as well"),
        (["imports=[my_own_agents]"], "imports: 'my_own_agents' cannot be imported .* allowed are modules"),
        (
            ["agent=sb3_qrdqn", "+agent.policy_kwargs.n_quantile=3"],
            "policy_kwargs: .*; did you mean 'n_quantiles'",
        ),
        (["agent=sb3_qrdqn", "agent.policy_kwargs.n_quantiles=0"], "agent: sb3_contrib.QRDQN cannot be made so"),
        (["agent=sb3_dqn", "+agent.policy_kwargs.optimizer_class=torch.optim.Adan"], "did you mean 'Adam'"),
        (
            ["agent=sb3_dqn", "agent.policy=MlpPolice"],
            "unknown name 'MlpPolice'; did you mean 'MlpPolicy'",
        ),
        (["agent=sb3_dqn", "agent.policy=agents.HardPolicy"], r"agent.policy: 'agents\.HardPolicy' is no policy"),
        (["agent=sb3_dqn", "+agent.kwargs.taw=0.5"], "agent.kwargs: unknown name 'taw'; did you mean 'tau'"),
        (["agent=sb3_dqn", "+agent.kwargs.seed=0"], "agent.kwargs: unknown name 'seed'"),
        (["agent=sb3_dqn", "agent.head=geometry"], "agent.head: 'geometry' given, allowed for .* is 'dense'"),
        ([*HERE], r"agent: Keeps\.kept\.a\.0 is a object, neither number, .* write get_extra_state\(\)"),
        (
            ["agent=sb3_dqn", *BUFFER],
            r"agent.center_rewards: true given, but stable_baselines3\.DQN does not take agents\.replay\.ReplayBuffer",
        ),
    ],
)
def test_what_cannot_go_through_the_loops_is_refused_before_any_work(overrides, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        train(composed("train", *overrides), tmp_path)
    assert list(tmp_path.iterdir()) == []


class CannotReturn(SoftTargets):
    """Asks for an argument without which it cannot be loaded again."""

    def __init__(self, *args, weight, **arguments):
        super().__init__(*args, **arguments)
        self.weight = weight


class Explores(DQNPolicy):
    """A policy with a state of its own."""

    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments)
        self.asked, self.draws = 0, np.random.default_rng(0)

    def _predict(self, observation, deterministic=True):
        self.asked += 1
        return (super()._predict(observation, deterministic) + int(self.draws.random() < 0.2)) % self.action_space.n


def test_what_could_not_be_loaded_again_is_refused_before_any_work(tmp_path):
    own = ["agent=custom", f"agent._target_={__name__}.CannotReturn", "+agent.kwargs.weight=1.0"]
    with pytest.raises(
        SystemExit, match=r"CannotReturn cannot be loaded out of its own file .* a default for all else"
    ):
        train(composed("train", *own), tmp_path)


def test_a_policy_s_own_state_goes_on_too(tmp_path):
    own = ["agent=sb3_dqn", f"agent.policy={__name__}.Explores", "agent.exploration_initial_eps=0.1"]
    config = composed("train", *TINY, *own, "decisions=60", "agent.learning_starts=10", "checkpoint_s=1000")
    whole, _, again = interrupted(config, tmp_path, 33)
    assert again.agent.digest() == whole.agent.digest()
    assert again.agent.model.policy.asked == whole.agent.model.policy.asked > 30


def test_a_run_is_not_resumed_with_another_class(tmp_path):
    overrides = [*TINY, "decisions=20", "agent=sb3_dqn"]
    config = composed("train", *overrides)
    run = Algorithm(config, check_config(config), tmp_path)
    run._save()
    with pytest.raises(SystemExit, match=r"_target_: 'stable_baselines3\.DQN' there, 'sb3_contrib\.QRDQN' given"):
        train(composed("train", *overrides[:-1], "agent=sb3_qrdqn", "resume=auto"), tmp_path)
