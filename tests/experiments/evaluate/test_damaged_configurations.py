"""A run's files next to an agent that are damaged, or written to do harm: one line that names them, and in no time."""

from __future__ import annotations

import pytest

from agents import DQN
from experiments.evaluate.policies import check_policies, label_policies, load_run_agent
from experiments.train.__main__ import with_resumed_run
from slicing_gym import get_scenario
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.learners import learner

BOMB = "a: &a [x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(12))
CONTENTS = {
    "damaged": ("agent: [", "is not YAML"),
    "empty": ("", "could not be read: it is empty"),
    "list": ("- 1", "could not be read: it holds a list"),
    "bomb": (BOMB, "an alias"),
    "tag": ("agent: !!python/object/apply:os.system ['touch harm']", "could not determine a constructor"),
}


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learner(DQN).save(tmp_path / "agent.zip")
    (tmp_path / ".hydra").mkdir()
    return tmp_path / "agent.zip"


@pytest.mark.parametrize("name", CONTENTS)
def test_the_configuration_beside_an_agent(name, saved):
    content, why = CONTENTS[name]
    (saved.parent / ".hydra" / "config.yaml").write_text(content)
    with pytest.raises(ValueError, match=rf"^policy: '.*config\.yaml' .*{why}") as raised:
        load_run_agent(str(saved))
    assert "\n" not in str(raised.value)
    assert not (saved.parent / "harm").exists()


@pytest.mark.parametrize("file", ["overrides.yaml", "config.yaml"])
@pytest.mark.parametrize("name", sorted(set(CONTENTS) - {"empty", "list"}))
def test_the_configuration_of_a_run_that_goes_on(name, file, saved):
    content, why = CONTENTS[name]
    for each, whole in (("overrides.yaml", "- seed=0"), ("config.yaml", "seed: 0")):
        (saved.parent / ".hydra" / each).write_text(content if each == file else whole)
    with pytest.raises(ValueError, match=rf"^resume: '.*{file}' .*{why}") as raised:
        with_resumed_run([f"resume={saved.parent}"])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "a: 1", "1"])
def test_what_was_typed_is_a_list(content, saved):
    (saved.parent / ".hydra" / "config.yaml").write_text("seed: 0")
    (saved.parent / ".hydra" / "overrides.yaml").write_text(content)
    with pytest.raises(ValueError, match=r"^resume: '.*overrides\.yaml' could not be read: it holds no list"):
        with_resumed_run([f"resume={saved.parent}"])


@pytest.mark.parametrize("content", ["{", "[]", "", '{"a": ' + "[" * 100_000])
def test_the_summary_beside_an_agent(content, saved):
    (saved.parent / "summary.json").write_text(content)
    check_policies([str(saved)], get_scenario("paper-1mhz"))
    for read in (lambda: label_policies([str(saved)]), lambda: load_run_agent(str(saved))):
        with pytest.raises(ValueError, match=r"^policy: '.*summary\.json' could not be read: "):
            read()
