"""The twin: one kernel for all that is stepped, fits that learn and repeat, files that are refused by name."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from stable_baselines3 import DQN

from slicing_gym import Reward, Simulator, allocation_table, get_scenario
from slicing_gym.files import digest
from slicing_gym.reward import utility
from tests.helpers.twins import SMALL, history_of, quick_twin, small_twin
from twin import (
    ARRIVALS,
    Column,
    DigitalTwin,
    History,
    Layout,
    LstmSettings,
    PerformanceSettings,
    TrainingSettings,
    TransformerSettings,
)
from twin.fitting.fit import _hold_out
from twin.models.mixture import Mixture
from twin.models.performance import EnsembleNetwork
from twin.models.transition import TransitionEnsemble
from twin.runtime.encoding import encode, make_table, target_bounds, to_scale

each_transition = pytest.mark.parametrize("transition", list(SMALL))


@pytest.fixture(scope="module")
def history() -> History:
    return history_of("paper-1mhz")


@pytest.fixture(scope="module", params=list(SMALL))
def twin(request, history) -> DigitalTwin:
    return small_twin(history, request.param)


def test_the_kernel_says_what_pytorch_says(twin, history):
    """The networks exist twice, for gradients and for stepping: they are the same."""
    model = twin.model
    encoded = encode(model.layout, model.table, history)
    slices, rest = 3, model.layout.num_variables - 3
    outputs = {"transition": 3 * (1 + 2 * slices), "performance": 2 * (1 + 2 * rest)}
    f = TransitionEnsemble(model.transition, model.layout.num_features, outputs["transition"])
    g = EnsembleNetwork(model.performance, model.layout.num_features, outputs["performance"])
    f.load_state_dict({name: torch.from_numpy(value) for name, value in model.transition_parameters.items()})
    g.load_state_dict({name: torch.from_numpy(value) for name, value in model.performance_parameters.items()})
    prediction = twin.predict(history)
    with torch.no_grad():
        runs = [f(torch.from_numpy(encoded.features[block])[None])[0] for block in encoded.sequences]
        members = g(torch.from_numpy(encoded.features)).transpose(0, 1)
    np.testing.assert_allclose(prediction.transition, torch.cat(runs).numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(prediction.performance, members.numpy(), rtol=1e-3, atol=1e-4)
    mixture = Mixture.of(members, model.performance.components)
    low, high = (torch.from_numpy(edge[3:]).float() for edge in (model.table.low, model.table.high))
    means = mixture.mean(low, high).numpy() * model.table.spread[3:] + model.table.center[3:]
    np.testing.assert_allclose(prediction.expected, means, rtol=1e-3, atol=1e-3)


def test_draws_follow_the_distribution_that_is_predicted(twin, history):
    """Many draws of one decision against the mixture's own distribution function and mean."""
    model = twin.model
    few = history.take(np.arange(3))
    prediction = twin.predict(few)
    generator = np.random.default_rng(0)
    drawn = np.stack([model.draw(prediction, generator) for _ in range(4000)], axis=1)  # (3, draws, V)
    assert (drawn[:, :, :3] == np.floor(drawn[:, :, :3])).all()
    assert (drawn >= model.table.lower).all()
    assert (drawn <= model.table.upper).all()
    mixture = Mixture.of(torch.from_numpy(prediction.transition).double(), model.transition.components)
    for row in range(3):
        for v in range(3):
            count = np.median(drawn[row, :, v])
            edge = (
                to_scale(model.table, np.full((1, 7), count + 0.5))[0, v] - model.table.center[v]
            ) / model.table.spread[v]
            expected = float(mixture.cdf(torch.full((3, 1, 3), edge, dtype=torch.float64)).mean(dim=1)[row, v])
            assert (drawn[row, :, v] <= count).mean() == pytest.approx(expected, abs=0.03)
    parts = slice(3, 7)
    expected = prediction.expected.mean(axis=1)
    np.testing.assert_allclose(drawn[:, :, parts].mean(axis=1), expected, rtol=0.05, atol=0.05)


@given(
    st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    st.lists(st.floats(-3, 1), min_size=4, max_size=4),
    st.floats(0.0, 1.0),
)
def test_the_probabilities_of_all_counts_sum_to_one(locations, log_scales, weight):
    raw = torch.tensor([weight, 1.0 - weight, *locations, *log_scales], dtype=torch.float64)  # K = 2, V = 2
    layout = Layout(get_scenario("paper-1mhz"), ARRIVALS, (Column("load", per_slice=False),))
    table = make_table(layout, np.array([[100.0, 40.0, 3.0, 1.0], [140.0, 90.0, 9.0, 2.0]]))
    counts = np.repeat(np.arange(0.0, 5000.0)[:, None], 4, axis=1)
    below, above = (torch.from_numpy(edge[:, :2]) for edge in target_bounds(table, counts))
    total = Mixture.of(raw, 2).marginal_log_likelihood(below, above).exp().sum(dim=0)
    assert ((total > 0.98) & (total < 1.0 + 1e-6)).all(), total  # the tail beyond 5000 is left out


@each_transition
def test_the_same_seed_gives_the_same_twin_and_others_differ(history, transition, tmp_path):
    short = history.take(history.run == 0)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        small_twin(short, transition, epochs=2, seed=seed).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_fitting_leaves_the_callers_randomness_alone(history):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    small_twin(history.take(history.run == 0), epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_a_saved_twin_lives_on_alike(twin, tmp_path):
    twin.save(tmp_path / "twin.safetensors")
    other = DigitalTwin.load(tmp_path / "twin")
    assert (other.transition, other.performance, other.training, other.seed) == (
        twin.transition,
        twin.performance,
        twin.training,
        twin.seed,
    )
    plan = allocation_table(20, 3)[[3, 100, 7, 55]]
    for mine, theirs in zip(twin.sample(plan, [4, 5]), other.sample(plan, [4, 5]), strict=True):
        np.testing.assert_array_equal(mine.arrivals, theirs.arrivals)
        np.testing.assert_array_equal(mine.utility, theirs.utility)


def test_numbers_do_not_depend_on_batch_or_threads(twin):
    table = allocation_table(20, 3)
    plan = table[np.random.default_rng(0).integers(len(table), size=(6, 5))]  # (T, cells, S)
    together, threaded = twin.sample(plan, range(5)), twin.sample(plan, range(5), num_threads=3)
    for cell in range(5):
        alone = twin.sample(plan[:, cell : cell + 1], [cell])
        for one, all_of_them, shared in zip(alone, together, threaded, strict=True):
            for name in ("arrivals", "utility", "epistemic_std"):
                np.testing.assert_array_equal(getattr(one, name)[0], getattr(all_of_them, name)[cell])
                np.testing.assert_array_equal(getattr(shared, name), getattr(all_of_them, name))


def test_a_fitted_twin_knows_good_allocations_from_bad_ones():
    """It learns: on decisions it has not seen it explains the utility, and ranks allocations as the network does."""
    torch.set_num_threads(1)
    past = history_of("paper-1mhz", 1200)
    twin = DigitalTwin(training=TrainingSettings(max_epochs=60)).fit(past)
    cell = Simulator("paper-1mhz", [0])
    cell.warm_up()
    table = allocation_table(20, 3)
    real = np.mean([interval.utility for interval in cell.what_if(table, intervals=10)], axis=0)
    dreamt = np.mean([interval.utility for interval in twin.sample(np.repeat(table[None], 10, 0), range(171))], axis=0)
    assert np.corrcoef(real, dreamt)[0, 1] > 0.99
    assert np.abs(real - dreamt).mean() < 0.1
    assert real[dreamt.argmax()] > real.max() - 0.3


def test_the_memory_matters():
    """Where the load rises and falls, a twin that remembers foresees the next arrivals better than the last value."""
    torch.set_num_threads(1)
    past = history_of("diurnal", 1000)
    seen, held_out = past.split_by_run(last=1)
    twin = DigitalTwin(training=TrainingSettings(max_epochs=60)).fit(seen)
    model = twin.model
    mixture = Mixture.of(torch.from_numpy(twin.predict(held_out).transition).double(), model.transition.components)
    low, high = (torch.from_numpy(edge[:3]) for edge in (model.table.low, model.table.high))
    encoded = encode(model.layout, model.table, held_out)
    scaled = to_scale(model.table, encoded.measured)[:, :3]
    said = mixture.mean(low, high).mean(dim=1).numpy() * model.table.spread[:3] + model.table.center[:3]
    last = to_scale(model.table, np.nan_to_num(encoded.before))[:, :3]
    error, persistence = ((said - scaled) ** 2).mean(axis=0), ((last - scaled) ** 2).mean(axis=0)
    assert (error[[0, 2]] < 0.75 * persistence[[0, 2]]).all(), (error, persistence)


def test_calibration_follows_the_traffic_and_forgets_nothing_else():
    torch.set_num_threads(1)
    from twin.fidelity.simulated import SimulatedCell

    past = history_of("paper-1mhz", 1200)
    twin = DigitalTwin(training=TrainingSettings(max_epochs=60)).fit(past)
    busy = get_scenario("paper-1mhz").replace(
        slices={"urllc": {"traffic": {"interarrival_s": {"kind": "exponential", "scale": 0.06}}}}
    )
    network = SimulatedCell(busy, 0)
    fresh, after = network.record(400), network.record(400)
    stale = _error(twin, after)
    before_elsewhere = _error(twin, past)
    twin.calibrate(fresh)
    assert _error(twin, after)["arrivals"] < 0.2 * stale["arrivals"]
    assert _error(twin, after)["utility"] < stale["utility"]
    assert _error(twin, past)["utility"] < 3.0 * before_elsewhere["utility"]
    assert twin.scenario == busy


def _error(twin: DigitalTwin, history: History) -> dict[str, float]:
    """Mean squared errors of a twin's predictions."""
    model = twin.model
    prediction = twin.predict(history)
    said = model.expected_utility(prediction.expected).mean(axis=1)
    truth = utility(history.scenario, history.spectral_efficiency, history.ssr)
    drawn = np.mean([model.draw(prediction, np.random.default_rng(i)) for i in range(20)], axis=0)
    urllc = (drawn[:, 2] - history.next_arrivals[:, 2]) ** 2
    return {"arrivals": float(urllc.mean()), "utility": float(((said - truth) ** 2).mean())}


def test_calibrating_on_more_of_the_same_moves_nothing():
    """Where nothing changed, predictions are neither shifted nor stretched, and stay as good."""
    for name in ("paper-1mhz", "diurnal"):
        past = history_of(name, 1000)
        twin = DigitalTwin(training=TrainingSettings(max_epochs=60)).fit(past)
        same = history_of(name, 1000, seed=0).take(past.run >= 3)
        before = twin.model
        error = _error(twin, same)
        twin.calibrate(same)
        np.testing.assert_array_equal(twin.model.table.center, before.table.center)
        np.testing.assert_array_equal(twin.model.table.spread, before.table.spread)
        after = _error(twin, same)
        assert after["utility"] < 1.1 * error["utility"]
        assert after["arrivals"] < 1.1 * error["arrivals"]


def test_members_of_the_transition_stop_by_different_runs():
    past = history_of("paper-1mhz", 2000)
    folds = [_hold_out(past, 0.15, turn) for turn in range(4)]
    for learn, stop in folds:
        assert len(learn) + len(stop) == len(past)
        assert 0.05 * len(past) < len(stop) < 0.35 * len(past)
    assert not set(folds[0][1].runs) & set(folds[1][1].runs)
    cut_short = past.take(np.arange(401))  # a third run of one decision
    learn, stop = _hold_out(cut_short, 0.15, 0)
    assert len(stop) >= 40
    assert len(learn) + len(stop) == 401


def test_uncertainty_grows_where_the_history_was_silent():
    """A history that never gave URLLC more than a quarter, asked about giving it nearly all."""
    past = history_of("paper-1mhz", 1200)
    narrow = past.take(past.allocation[:, 2] <= 5)
    twin = DigitalTwin(training=TrainingSettings(max_epochs=40)).fit(narrow)
    table = allocation_table(20, 3)
    known, unknown = table[table[:, 2] <= 5], table[table[:, 2] >= 14]
    spread = [twin.sample(part[None], range(len(part)))[0].epistemic_std.mean() for part in (known, unknown)]
    assert spread[1] > 2.0 * spread[0]


@pytest.mark.parametrize("reward", ["utility", "shaped"])
def test_penalty_takes_the_spread_off_the_utility(reward):
    twin = quick_twin(get_scenario("paper-1mhz"))
    plain = gym.make("SliceTwin-v0", twin=twin, reward=reward)
    careful = gym.make("SliceTwin-v0", twin=twin, reward=reward, uncertainty="penalty", penalty=3.0)
    for env in (plain, careful):
        env.reset(seed=0)
    for action in range(0, 171, 10):
        _, one, *_, info = plain.step(action)
        _, other, *_, doubted = careful.step(action)
        assert info["epistemic_std"] == doubted["epistemic_std"] > 0.0
        assert info["utility"] == doubted["utility"]
        expected = info["utility"] - 3.0 * info["epistemic_std"]
        if reward == "utility":
            assert one - other == pytest.approx(3.0 * info["epistemic_std"])
        else:
            assert other == float(expected >= info["threshold"])


def test_truncate_ends_rounds_where_the_members_disagree():
    twin = quick_twin(get_scenario("paper-1mhz"))
    env = gym.make("SliceTwin-v0", twin=twin, uncertainty="truncate", largest_std=0.0)
    env.reset(seed=0)
    assert env.step(5)[3]
    patient = gym.make_vec("SliceTwin-v0", num_envs=3, twin=twin, uncertainty="truncate", largest_std=1e9)
    patient.reset(seed=0)
    assert not any(patient.step(np.full(3, 5))[3].any() for _ in range(20))
    for reward in (Reward(), Reward(se_weight=0.1)):  # whatever the reward, few of the usual decisions end a round
        usual = gym.make("SliceTwin-v0", twin=twin, reward=reward, uncertainty="truncate")
        ends, rng = 0, np.random.default_rng(0)
        usual.reset(seed=0)
        for _ in range(300):
            if usual.step(int(rng.integers(171)))[3]:
                ends += 1
                usual.reset()
        assert ends < 60


def test_stock_dqn_trains_on_the_twin():
    env = gym.make("SliceTwin-v0", twin=quick_twin(get_scenario("paper-1mhz")), reward="utility")
    agent = DQN("MlpPolicy", env, learning_starts=20, policy_kwargs={"net_arch": [16]}, seed=0)
    before = [value.clone() for value in agent.policy.parameters()]
    agent.learn(60)
    assert any(not torch.equal(a, b) for a, b in zip(before, agent.policy.parameters(), strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"twin": "papper"}, "there is no file 'papper'"),
        ({"twin": 3}, "twin: 3 is neither"),
        ({"twin": DigitalTwin()}, "it was not fitted"),
        ({"uncertainty": "penalt"}, "uncertainty: unknown name 'penalt'; did you mean 'penalty'"),
        ({"penalty": -1.0}, "penalty: -1.0 given"),
        ({"largest_std": float("nan")}, "largest_std: nan given"),
        (
            {"scenario": "paper-1mhz"},
            "'paper-1mhz' given, the twin is of 'paper': radio.resolution_hz is 200000.0 there",
        ),
        ({"scenario": "diurnal"}, "'diurnal' given, the twin is of 'paper'"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    for make in (gym.make, gym.make_vec):
        with pytest.raises((ValueError, TypeError, FileNotFoundError), match=message):
            make("SliceTwin-v0", **arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DigitalTwin("lstn"), "transition: unknown name 'lstn'; did you mean 'lstm'"),
        (lambda: DigitalTwin(3), "transition: 3 is neither"),
        (lambda: DigitalTwin(seed=-1), "seed: -1 given"),
        (lambda: DigitalTwin(training=3), "training: 3 given, allowed is TrainingSettings"),
        (lambda: DigitalTwin().fit(None), "history: None given, allowed is History"),
        (lambda: quick_twin(get_scenario("paper")).cells([0]).advance([1, 1, 98]), "no round has begun in"),
        (lambda: quick_twin(get_scenario("paper")).sample(np.zeros((0, 3), int), [0]), r"units: shape \(0, 3\)"),
        (
            lambda: Layout(get_scenario("paper"), ARRIVALS, (Column("ssr", transform="log1p"),)),
            "ssr.transform: 'log1p'",
        ),
        (lambda: Layout(get_scenario("paper"), ARRIVALS, (Column("utility"),)), "the name 'utility' occurs twice"),
        (lambda: LstmSettings(memory_size=0), "transition.memory_size: 0 given"),
        (
            lambda: TransformerSettings(width=10, heads=4),
            "transition.heads: 4 given, allowed are divisors of width = 10",
        ),
        (lambda: PerformanceSettings(members=0), "performance.members: 0 given"),
        (lambda: TrainingSettings(validation_share=0.9), "training.validation_share: 0.9 given"),
        (lambda: DigitalTwin().fit(history_of("paper-1mhz").take(slice(0, 10))), "history: 10 decisions given"),
        (lambda: DigitalTwin().model, "it was not fitted"),
        (lambda: quick_twin(get_scenario("paper")).calibrate(history_of("paper-1mhz")), "fresh: is of another network"),
        (lambda: quick_twin(get_scenario("paper")).predict(history_of("paper-1mhz")), "units are 20, wanted are 100"),
        (lambda: quick_twin(get_scenario("paper")).sample([[1, 1, 1]], [0]), "at least 1 a slice and 100 in all"),
        (lambda: quick_twin(get_scenario("paper")).sample([[0.5, 1, 1]], [0]), "units: float64"),
    ],
)
def test_bad_twins_are_refused(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_single_run_and_constant_columns_are_handled_and_reported(history):
    alone = history.take(history.run == 0)
    still = replace(alone, performance={**alone.performance, "ssr": np.ones_like(alone.ssr)})
    twin = small_twin(still)
    notes = " ".join(twin.report.notes)
    assert "one single run: early stopping on 30 decisions in it" in notes
    assert "ssr_volte is constant (1)" in notes
    gap = small_twin(alone.take(np.delete(np.arange(200), [50, 51, 120])))
    assert any("2 gaps" in note for note in gap.report.notes)


def test_files_that_are_no_twins_are_refused(tmp_path, history):
    twin = small_twin(history, epochs=1)
    path = tmp_path / "twin.safetensors"
    twin.save(path)
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + size])
    tensors = load_file(path)

    def with_header(changed: dict[str, object]) -> bytes:
        metadata = {"twin": with_checksum(changed, tensors)}
        text = json.dumps({**header, "__metadata__": metadata}).encode()
        return struct.pack("<Q", len(text)) + text + whole[8 + size :]

    def with_checksum(changed: object, contents: dict[str, np.ndarray]) -> str:
        """A header that names its own checksum rightly."""
        if not isinstance(changed, dict):
            return json.dumps(changed)
        return json.dumps({**changed, "sha256": digest(changed, contents)})

    plain = json.loads(header["__metadata__"]["twin"])
    del plain["sha256"]
    other = json.loads(json.dumps(plain))
    del other["layout"]["scenario"]["slices"]["volte"]
    wrong = {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"hello, this is no twin at all",
        "version": with_header({**plain, "format": 99}),
        "fewer slices": with_header(other),
        "unknown transition": with_header({**plain, "transition": {"name": "gru"}}),
        "no mapping": with_header([1]),
        "bad seed": with_header({**plain, "seed": "x"}),
        "a flipped bit": whole[:-100] + bytes([whole[-100] ^ 4]) + whole[-99:],
    }
    halves = {**tensors, "performance.first": tensors["performance.first"].astype(np.float16)}
    save_file(halves, tmp_path / "halves", {"twin": with_checksum(plain, halves)})
    wrong["other numbers"] = (tmp_path / "halves").read_bytes()
    poisoned = {**tensors, "table.spread": np.full_like(tensors["table.spread"], np.nan)}
    save_file(poisoned, tmp_path / "poisoned", {"twin": with_checksum(plain, poisoned)})
    wrong["not a number"] = (tmp_path / "poisoned").read_bytes()
    messages = {
        "version": "has format 99, allowed is 1",
        "fewer slices": "has shape",
        "unknown transition": "transition: unknown name 'gru'",
        "bad seed": "seed: 'x'",
        "a flipped bit": "does not have|do not have the checksum",
        "other numbers": "performance.first has values of type float16, wanted are float32",
        "not a number": "table.spread has values that are not finite",
    }
    for name, content in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=messages.get(name, "twin: ")):
            DigitalTwin.load(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*missing"):
        DigitalTwin.load(tmp_path / "missing")


def test_a_log_without_a_reward_makes_a_twin_but_no_environment(history):
    bare = replace(
        history, columns=(history.columns[1],), performance={"spectral_efficiency": history.spectral_efficiency}
    )
    twin = small_twin(bare)
    interval = twin.sample(allocation_table(20, 3)[:2], [0])[-1]
    assert np.isnan(interval.utility).all()
    assert interval.performance["spectral_efficiency"] > 0.0
    with pytest.raises(ValueError, match="measured no 'ssr' or no 'spectral_efficiency'"):
        gym.make("SliceTwin-v0", twin=twin)


def test_curves_reach_tensorboard(history, tmp_path):
    torch.set_num_threads(1)
    twin = DigitalTwin(SMALL["lstm"], PerformanceSettings(members=2, hidden_size=8), TrainingSettings(max_epochs=2))
    twin.fit(history, log_folder=tmp_path)
    (events,) = tmp_path.glob("events.*")
    content = events.read_bytes()
    for tag in (b"transition_1/validation_loss", b"performance/training_loss"):
        assert tag in content


def test_the_shipped_twin_is_small_and_of_paper():
    env = gym.make("SliceTwin-v0").unwrapped
    assert env.scenario == get_scenario("paper")
    from twin.env import _SHIPPED

    assert (_SHIPPED / "paper.safetensors").stat().st_size < 1e6
    best, hard = (
        np.mean([i.utility.mean() for i in DigitalTwin.load(_SHIPPED / "paper").sample([units] * 20, range(20))])
        for units in ([1, 96, 3], [33, 33, 34])
    )
    assert best == pytest.approx(8.1, abs=0.3)
    assert hard == pytest.approx(5.3, abs=0.15)
