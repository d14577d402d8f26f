"""A twin with a verdict next to a history: what is said where the agent's twin is fitted with other settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.config.parts import make_twin
from experiments.offline.__main__ import prepare
from experiments.offline.earlier import EarlierTwin
from experiments.reporting.cards import UNMEASURED
from tests.experiments.offline.test_command import TINY, TWIN
from tests.helpers.learners import _one_thread as _one_thread
from tests.helpers.runs import composed
from tests.helpers.twins import cold_twin, small_twin
from twin import DigitalTwin
from twin.runtime import storage

JOINT = [*TWIN, "twin.performance.structure=joint"]


def asked(*overrides: str) -> DigitalTwin:
    """The twin of a command that is typed so."""
    twin = make_twin(composed("offline", *overrides).twin)
    assert twin is not None
    return twin


def left_by_fidelity(folder, history, twin):
    """The files of a fidelity run that this looks at."""
    folder.mkdir(exist_ok=True)
    history.save(folder / "history.npz")
    twin.save(folder / "twin.safetensors")
    (folder / "fidelity.csv").touch()
    return folder


@pytest.fixture(scope="module")
def verdict(history, tmp_path_factory):
    return left_by_fidelity(tmp_path_factory.mktemp("fit"), history, asked(*JOINT).fit(history))


def test_what_is_to_be_typed_gives_the_same_settings(history, tmp_path):
    """Of the kind of the earlier twin, whichever is asked for."""
    for kind in ("lstm", "transformer"):
        folder = left_by_fidelity(tmp_path / kind, history, small_twin(history, kind, epochs=1))
        for name in ("lstm", "transformer"):
            earlier = EarlierTwin.next_to(str(folder / "history.npz"))
            typed = earlier.to_type(asked(f"twin={name}"))
            assert (f"twin={kind}" in typed) == (kind != name)
            assert {"twin.transition.members=2", "twin.performance.structure=joint"} <= set(typed)
            assert earlier.to_type(asked(f"twin={name}", *typed)) == []


def test_a_float_is_typed_as_pages_write_it(verdict, history):
    earlier = EarlierTwin.next_to(str(verdict))
    plain = asked(*JOINT, "twin.performance.prior_scale=0", "twin.training.mean_weight=0.5")
    assert earlier.to_type(plain) == ["twin.performance.prior_scale=10", "twin.training.mean_weight=1"]
    other = EarlierTwin(verdict, plain.fit(history))
    assert other.to_type(asked(*JOINT)) == ["twin.performance.prior_scale=0", "twin.training.mean_weight=0.5"]


def with_taken(twin, asked_scale):
    """The same twin as one that `structure=auto` took, and of which another `prior_scale` was asked."""
    contents = storage.parse(twin.to_bytes())
    performance = replace(contents.performance, structure="auto", prior_scale=asked_scale)
    return DigitalTwin.from_bytes(storage.dump(contents._replace(performance=performance)))


def test_the_prior_that_was_taken_is_compared_and_what_is_to_be_typed_gives_it(history, tmp_path):
    plain = asked(*JOINT, "twin.performance.prior_scale=0").fit(history)
    with_prior = with_taken(asked(*JOINT).fit(history), 10.0)
    folder = left_by_fidelity(tmp_path / "fit", history, with_taken(plain, 10.0))
    earlier = EarlierTwin.next_to(str(folder))
    assert earlier.before(with_prior) == []  # the same was asked for
    (line,) = earlier.after(with_prior)
    assert "structure is joint with prior_scale=10, that of" in line
    assert "joint with prior_scale=0; twin.performance.structure=joint twin.performance.prior_scale=0 fits" in line
    assert earlier.on_card(with_prior) == UNMEASURED
    assert earlier.before(plain) == earlier.after(plain) == []
    assert str(folder / "twin.card.md") in earlier.on_card(plain)
    other = EarlierTwin(folder, with_prior)
    (line,) = other.after(with_taken(plain, 10.0))
    assert "; twin.performance.structure=joint fits such a one" in line


def test_networks_taken_without_a_prior_differ_from_slice_by_slice(history, tmp_path):
    """Of the latter the scale says nothing."""
    plain = with_taken(asked(*JOINT, "twin.performance.prior_scale=0").fit(history), 10.0)
    by_slice = asked(*TWIN, "twin.performance.structure=per_slice").fit(history)
    (line,) = EarlierTwin(tmp_path, by_slice).after(plain)
    assert "that of" in line
    assert line.endswith("which the verdict is of, per_slice; twin.performance.structure=per_slice fits such a one")
    (line,) = EarlierTwin(tmp_path, plain).after(by_slice)
    assert line.endswith("; twin.performance.structure=joint twin.performance.prior_scale=0 fits such a one")


def test_only_fidelity_leaves_a_verdict(history, tmp_path):
    """Folders of other runs have a twin and a history, too; and a file may be of another version."""
    folder = left_by_fidelity(tmp_path / "fit", history, cold_twin(history))
    assert EarlierTwin.next_to(str(folder)) is not None
    (folder / "fidelity.csv").unlink()
    assert EarlierTwin.next_to(str(folder)) is None
    (folder / "fidelity.csv").touch()
    (folder / "twin.safetensors").write_bytes(b"another")
    assert EarlierTwin.next_to(str(folder)) is None
    assert EarlierTwin.next_to("random") is None


def test_the_verdict_is_of_one_file(history, tmp_path):
    """Another history in the folder was not looked at, and one that is not there cannot have been."""
    folder = left_by_fidelity(tmp_path / "fit", history, cold_twin(history))
    history.save(folder / "other.npz")
    assert EarlierTwin.next_to(str(folder / "history.npz")) is not None
    assert EarlierTwin.next_to(str(folder / "other.npz")) is None
    (folder / "history.npz").unlink()
    assert EarlierTwin.next_to(str(folder / "history.npz")) is None
    assert EarlierTwin.next_to(str(folder)) is None


def test_a_kind_that_the_command_does_not_take_is_not_typed(history, tmp_path):
    folder = left_by_fidelity(tmp_path / "fit", history, DigitalTwin("autoregressive").fit(history))
    (line,) = EarlierTwin.next_to(str(folder)).before(asked("twin=lstm"))
    assert line.endswith("; its kind is 'autoregressive', and such a twin is fitted in Python (twin.DigitalTwin)")
    assert "twin=" not in line


@pytest.mark.parametrize(
    ("changes", "warned"),
    [([], ""), (["twin.seed=3"], "twin.seed=0"), (["twin.performance.structure=per_slice"], "structure=joint")],
)
def test_the_command_says_which_settings_the_verdict_is_not_of(verdict, changes, warned, tmp_path, capsys):
    typed = ["evaluation.seeds=[]", "evaluation.policies=[]", *JOINT, *changes]
    prepare(composed("offline", *TINY, f"history='{verdict}'", *typed), tmp_path)()
    lines = [line for line in capsys.readouterr().out.splitlines() if "which the verdict is of" in line]
    assert len(lines) == {"": 0, "twin.seed=0": 1, "structure=joint": 2}[warned]
    assert all(warned in line for line in lines)
    card = (tmp_path / "twin.card.md").read_text()
    assert (UNMEASURED in card) == bool(warned)
    assert (str(verdict / "twin.card.md") in card) == (not warned)
