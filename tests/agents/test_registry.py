"""Classes by their dotted names, and agents out of their files whatever their class."""

from __future__ import annotations

import inspect
import sys

import gymnasium as gym
import numpy as np
import pytest
import sb3_contrib
import stable_baselines3
import torch

from agents import DDQN, DQN, DuelingGANDDQN, registry
from agents.loading import guess_class, load_agent
from agents.registry import (
    algorithm_class,
    allow_module_of,
    arguments_of,
    import_modules,
    is_imported,
    named,
    off_policy_class,
    own_modules,
    policy_class,
    with_classes,
)
from tests.helpers.learners import Follow, learner
from tests.helpers.learners import _one_thread as _one_thread


@pytest.fixture(autouse=True)
def _clean():
    before = set(registry._imported)
    yield
    registry._imported.clear()
    registry._imported.update(before)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A package of the user's own: mine_x, with agents, a part that leaves a mark and one that cannot be imported."""
    folder = tmp_path / "mine_x"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "agents.py").write_text("import stable_baselines3\n\n\nclass Mine(stable_baselines3.DQN):\n    pass\n")
    (folder / "marks.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w').close()\n\n\nclass Mark:\n    pass\n")
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "lacks.py").write_text("import there_is_no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "mark"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mine_x"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("agents.DQN", DQN),
        ("agents.dqn.DQN", DQN),
        ("agents.dqn.dqn.DQN.load", DQN.load),
        ("stable_baselines3.DQN", stable_baselines3.DQN),
        ("sb3_contrib.qrdqn.qrdqn.QRDQN", sb3_contrib.QRDQN),
        ("torch.nn.Tanh", torch.nn.Tanh),
        ("torch.optim.adamw.AdamW", torch.optim.AdamW),
        ("torch.nn.functional", torch.nn.functional),
    ],
)
def test_names_are_found(name, found):
    assert named("agent", name) == found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("DQN", "'DQN' given, allowed are dotted names"),
        ("agents.", "allowed are dotted names"),
        ("agents..DQN", "allowed are dotted names"),
        ("agents.DQN()", "allowed are dotted names"),
        ("", "allowed are dotted names"),
        ("torch.nn.Tahn", r" \(torch\.nn\): unknown name 'Tahn'; did you mean 'Tanh'"),
        ("agents.dqn.dqn.DQM", r" \(agents\.dqn\.dqn\): unknown name 'DQM'; did you mean 'DQN'"),
        ("agents.DuelingGAN", r"unknown name 'DuelingGAN'; did you mean 'DuelingGANDDQN'"),
        ("agents.no_such.DQN", "unknown name 'no_such'"),
        ("agents.dqn.DQN.lode", "unknown name 'lode'; did you mean 'load'"),
        ("there_is_no_such.Agent", r"is of a module that was not asked for; type imports=\[there_is_no_such\]"),
    ],
)
def test_what_there_is_not_is_refused(name, message):
    with pytest.raises(ValueError, match=rf"^agent.*{message}"):
        named("agent", name)


def test_what_was_not_asked_for_is_not_imported(mine):
    with pytest.raises(ValueError, match=r"'mine_x\.marks\.Mark' is of a module that was not asked for"):
        named("agent", "mine_x.marks.Mark")
    assert not mine.exists()
    assert "mine_x" not in sys.modules
    import_modules(["mine_x.agents"])
    assert named("agent", "mine_x.agents.Mine").__name__ == "Mine"
    assert is_imported("mine_x.agents")
    assert is_imported("mine_x.agents.below")
    assert not is_imported("mine_x")
    assert not is_imported("mine_x.agents_too")


def test_a_value_given_by_mistake_allows_no_builtin_functions():
    allow_module_of(7)
    assert not is_imported("builtins")


def test_neighbours_of_what_was_asked_for_are_not_imported(mine):
    import_modules(["mine_x.agents"])  # its package is loaded with it
    with pytest.raises(ValueError, match="not asked for"):
        named("agent", "mine_x.marks.Mark")
    assert not mine.exists()


def test_below_what_was_asked_for_all_is_found(mine):
    import_modules(["mine_x"])
    assert named("agent", "mine_x.marks.Mark").__name__ == "Mark"
    assert mine.exists()
    with pytest.raises(
        ValueError,
        match=r"'mine_x\.lacks\.A' cannot be imported \(ModuleNotFoundError: .*no_such_module",
    ):
        named("agent", "mine_x.lacks.A")


@pytest.mark.usefixtures("mine")
def test_a_broken_module_below_is_refused_by_its_key():
    import_modules(["mine_x"])
    with pytest.raises(ValueError, match=r"agent: 'mine_x\.broken\.A' cannot be imported"):
        named("agent", "mine_x.broken.A")


@pytest.mark.parametrize(
    ("name", "message"),
    [("mine_y", "ModuleNotFoundError: No module"), ("mine_x.broken", "ZeroDivisionError"), ("mine_x.lacks", "no_such")],
)
@pytest.mark.usefixtures("mine")
def test_imports_that_fail_are_refused(name, message):
    with pytest.raises(ValueError, match=f"imports: '{name}' cannot be imported .*{message}"):
        import_modules([name])
    assert not is_imported(name)


@pytest.mark.parametrize("file", ["mine_x.py", "mine_x/agents.py", "./mine_x/agents.py", "no_such/mine_y.py"])
@pytest.mark.usefixtures("mine")
def test_a_file_that_is_to_be_imported_is_told_the_name_of_its_module(file):
    module = file.removeprefix("./").removesuffix(".py").replace("/", ".")
    with pytest.raises(ValueError, match=rf"^imports: '{file}' cannot be imported .*; did you mean '{module}'\? all"):
        import_modules([file])


@pytest.mark.parametrize("name", ["mine_y", "mine_x.pyc", "../mine_x.py", "/mine_x.py", "a-b.py", ".py"])
@pytest.mark.usefixtures("mine")
def test_what_is_no_file_of_a_module_from_here_is_told_no_other_name(name):
    with pytest.raises(ValueError, match=r"; allowed are modules that python finds from here$"):
        import_modules([name])


class Base:
    def __init__(self, a, b=2, *, c=3):
        pass


class Takes(Base):
    def __init__(self, d, b=5, **rest):
        super().__init__(d, b, **rest)


class Silent(Takes):
    pass


class Alone(Base):
    def __init__(self, e=1, *more):
        pass


def test_arguments_are_those_of_the_constructor_and_what_it_hands_on():
    empty = inspect.Parameter.empty
    assert arguments_of(Base) == {"a": empty, "b": 2, "c": 3}
    assert arguments_of(Takes) == arguments_of(Silent) == {"d": empty, "b": 5, "a": empty, "c": 3}
    assert arguments_of(Alone) == {"e": 1}
    known = arguments_of(DuelingGANDDQN)
    assert (known["critic_steps"], known["gamma"], known["center_rewards"]) == (5, 0.8, False)
    assert not {"self", "arguments", "kwargs"} & known.keys()
    assert arguments_of(sb3_contrib.QRDQN)["buffer_size"] == 1_000_000


def test_dotted_names_stand_for_classes():
    given = {
        "optimizer_class": "torch.optim.AdamW",
        "optimizer_kwargs": {"eps": 1e-5, "inner": {"activation_fn": "torch.nn.Tanh", "name": "torch.nn.Tanh"}},
        "func": "torch.abs",
        "activation_fn": torch.nn.ReLU,
        "net_arch": [16],
        "some_class": None,
    }
    held = repr(given)
    made = with_classes("agent", given)
    assert made["optimizer_class"] is torch.optim.AdamW
    assert made["optimizer_kwargs"]["inner"] == {"activation_fn": torch.nn.Tanh, "name": "torch.nn.Tanh"}
    assert made["activation_fn"] is torch.nn.ReLU
    assert (made["net_arch"], made["some_class"], made["func"]) == ([16], None, torch.abs)
    assert repr(given) == held
    with pytest.raises(ValueError, match=r"^agent\.inner\.a_class.*'Tahn'"):
        with_classes("agent", {"inner": {"a_class": "torch.nn.Tahn"}})


def test_numbers_may_be_keys_of_arguments():
    assert with_classes("agent", {"names": {1: "a", 2: {3: 4}}}) == {"names": {1: "a", 2: {3: 4}}}


@pytest.mark.parametrize("name", ["PPO", "A2C"])
def test_only_off_policy_algorithms_will_do(name):
    with pytest.raises(
        ValueError, match=rf"agent\._target_: 'stable_baselines3\.{name}' is not off-policy.*bring-your"
    ):
        off_policy_class(f"stable_baselines3.{name}")
    assert algorithm_class(f"stable_baselines3.{name}") is getattr(stable_baselines3, name)


@pytest.mark.parametrize("name", ["torch.nn.Tanh", "agents.HEADS", "agents.sync", "agents.FixedPolicy"])
def test_what_is_no_algorithm_is_refused(name):
    for find in (algorithm_class, off_policy_class):
        with pytest.raises(ValueError, match=rf"other: '{name}' is no algorithm of Stable-Baselines3"):
            find(name, "other")


def test_policies_are_found():
    assert policy_class(DQN, "MlpPolicy") is DQN.policy_aliases["MlpPolicy"]
    assert policy_class(DQN, "agents.SlicingPolicy") is DQN.policy_aliases["MlpPolicy"]
    with pytest.raises(ValueError, match=r"unknown name 'MlpPolice'; did you mean 'MlpPolicy'.*dotted name"):
        policy_class(DQN, "MlpPolice")
    with pytest.raises(ValueError, match=r"agent\.policy: 'torch\.nn\.Tanh' is no policy"):
        policy_class(DQN, "torch.nn.Tanh")


ON_POLICY = {"n_steps": 8, "batch_size": 8}
SAVED = {
    "stable_baselines3.DQN": {},
    "stable_baselines3.PPO": ON_POLICY,
    "stable_baselines3.A2C": {},
    "sb3_contrib.QRDQN": {},
    "sb3_contrib.TRPO": ON_POLICY,
    "sb3_contrib.MaskablePPO": ON_POLICY,
    "sb3_contrib.RecurrentPPO": ON_POLICY,
    "sb3_contrib.ARS": {"n_delta": 1},
    "agents.DQN": {},
    "agents.DDQN": {},
    "agents.DuelingGANDDQN": {},
}


def make(name, env=None, **more):
    kind, policy = named("agent", name), {"net_arch": [16]}
    if name == "sb3_contrib.RecurrentPPO":
        policy["lstm_hidden_size"] = 8
    if "buffer_size" in arguments_of(kind):
        more = {"buffer_size": 50, **more}
    first = "MlpLstmPolicy" if name == "sb3_contrib.RecurrentPPO" else "MlpPolicy"
    env = gym.make("SliceRAN-v0", scenario="paper-1mhz") if env is None else env
    return kind(first, env, policy_kwargs=policy, seed=3, device="cpu", **SAVED[name], **more)


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("name", SAVED)
def test_agents_come_out_of_their_files(name, learns, tmp_path):
    env = Follow() if learns else None
    agent = make(name, env)
    if learns and name != "sb3_contrib.MaskablePPO":  # which wants masks
        agent.learn(16)
    agent.save(tmp_path / "agent")
    path = str(tmp_path / "agent.zip")
    assert guess_class(path) == ("agents.DQN" if name == "agents.DDQN" else name)
    space = agent.observation_space
    seen = space.low + (space.high - space.low) * np.random.default_rng(0).random((200, *space.shape)).astype(
        np.float32
    )
    chosen = agent.predict(seen, deterministic=True)[0]
    for target in (None, name):
        loaded = load_agent(path, target)
        assert type(loaded) is named("agent", guess_class(path) if target is None else name)
        np.testing.assert_array_equal(loaded.predict(seen, deterministic=True)[0], chosen)
    np.testing.assert_array_equal(load_agent(path, trust=True).predict(seen, deterministic=True)[0], chosen)


def test_files_that_are_no_agents_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="other: there is no file"):
        load_agent(tmp_path / "none.zip", key="other")
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(ValueError, match=r"text\.zip' is not an agent's file, or is damaged"):
        load_agent(tmp_path / "text.zip")
    learner(DDQN).save(tmp_path / "agent.zip")
    with pytest.raises(ValueError, match=r"agent\.zip' does not hold an agent of class sb3_contrib\.QRDQN"):
        load_agent(tmp_path / "agent.zip", "sb3_contrib.QRDQN")
    with pytest.raises(ValueError, match="is no algorithm"):
        load_agent(tmp_path / "agent.zip", "torch.nn.Tanh")


def test_a_policy_of_one_s_own_does_not_tell_its_class(tmp_path):
    own = type("Own", (stable_baselines3.dqn.MlpPolicy,), {"__module__": "my_package.policies"})
    agent = stable_baselines3.DQN(own, Follow(), buffer_size=10, device="cpu")
    agent.save(tmp_path / "agent.zip")
    with pytest.raises(ValueError, match=r"policy of 'my_package\.policies', which does not tell.*MyAgent@"):
        guess_class(str(tmp_path / "agent.zip"))


def test_an_agent_of_a_class_of_one_s_own_is_loaded_by_its_name(mine, tmp_path):
    import_modules(["mine_x.agents"])
    agent = named("agent", "mine_x.agents.Mine")("MlpPolicy", Follow(), buffer_size=10, device="cpu")
    agent.save(tmp_path / "agent.zip")
    loaded = load_agent(tmp_path / "agent.zip", "mine_x.agents.Mine")
    assert type(loaded).__name__ == "Mine"
    assert type(load_agent(tmp_path / "agent.zip")) is stable_baselines3.DQN
    assert not mine.exists()


def test_a_class_of_a_package_that_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(ValueError, match=r'^agent: .*pip install "slicing-gym\[contrib\]"$'):
        off_policy_class("sb3_contrib.QRDQN", "agent")


@pytest.mark.usefixtures("mine")
def test_modules_of_the_users_own_are_found_in_classes_and_names():
    import_modules(["mine_x.agents", "mine_x.marks"])
    kind = sys.modules["mine_x.agents"].Mine
    wrappers = {"wrappers": [{"_target_": "mine_x.marks.Mark", "note": "of a.text 1.5"}], "observer": None}
    assert own_modules(kind, wrappers, {"net_arch": [64], "optimizer_class": torch.optim.Adam}) == [
        "mine_x.agents",
        "mine_x.marks",
    ]
    assert own_modules("mine_x.agents.Mine", type(Follow)) == ["mine_x.agents"]
    assert own_modules(DQN, "stable_baselines3.DQN", np.tanh, dict, None, "mine_x") == []
    assert own_modules(type("Typed", (), {"__module__": "__main__"})) == ["__main__"]


def test_a_file_with_code_is_refused_for_that_and_not_for_its_class(tmp_path):
    model = DQN("MlpPolicy", learner(DDQN).get_env())
    model.bonus = lambda reward: reward
    model.save(tmp_path / "agent.zip")
    with pytest.raises(ValueError, match=r"^policy: .*agent\.zip' asks in 'bonus' for .* may run code; .*trust=true"):
        load_agent(tmp_path / "agent.zip", "stable_baselines3.DQN", key="policy")
    assert load_agent(tmp_path / "agent.zip", "stable_baselines3.DQN", trust=True).bonus(2) == 2
