"""Recorders compared with stepping an environment by hand."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from stable_baselines3 import A2C, DQN
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from slicing_gym import get_scenario
from tests.helpers.twins import ALL_COLUMNS, assert_same
from twin import PERFORMANCE, Column, History, RecordHistory, RecordHistoryVector
from twin.data.callback import HistoryCallback
from twin.data.recorder import Recorder

SHORT = get_scenario("paper-1mhz").replace(decisions_per_episode=5)


class Notes:
    """What scalar environments told when they were stepped by hand, run by run in the order in which they began."""

    def __init__(self, cells: int) -> None:
        self.envs = [gym.make("SliceRAN-v0", scenario=SHORT) for _ in range(cells)]
        self.runs: list[list[tuple]] = []
        self.now: list = [None] * cells

    def reset(self, cell: int, seed: int | None = None) -> None:
        _, info = self.envs[cell].reset(seed=seed)
        self.runs.append([])
        self.now[cell] = (self.runs[-1], info["arrivals"].copy())

    def step(self, cell: int, action: int) -> bool:
        rows, arrivals = self.now[cell]
        _, _, _, truncated, info = self.envs[cell].step(action)
        rows.append((self.envs[cell].unwrapped.allocations[action], arrivals, {k: np.copy(v) for k, v in info.items()}))
        self.now[cell] = (rows, info["arrivals"].copy())
        return truncated

    def check(self, history: History, first_run: int = 0) -> None:
        """The history holds exactly what was noted from a run on."""
        runs = [rows for rows in self.runs[first_run:] if rows]
        flat = [row for rows in runs for row in rows]
        assert len(history) == len(flat) > 0
        assert [len(rows) for rows in runs] == np.unique(history.run, return_counts=True)[1].tolist()
        assert history.interval.tolist() == [number for rows in runs for number in range(len(rows))]
        np.testing.assert_array_equal(history.allocation, [row[0] for row in flat])
        np.testing.assert_array_equal(history.arrivals, [row[1] for row in flat])
        np.testing.assert_array_equal(history.next_arrivals, [row[2]["arrivals"] for row in flat])
        for column in history.columns:
            expected = [row[2][column.name] for row in flat]
            np.testing.assert_array_equal(history.performance[column.name], expected, err_msg=column.name)
        inside = history.run[1:] == history.run[:-1]
        np.testing.assert_array_equal(history.next_arrivals[:-1][inside], history.arrivals[1:][inside])


def test_the_scalar_wrapper_records_what_happened():
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=SHORT), ALL_COLUMNS)
    notes = Notes(1)
    env.reset(seed=3)
    notes.reset(0, seed=3)
    for number in range(17):
        ended = env.step(number * 9)[3]
        assert notes.step(0, number * 9) == ended
        if ended or number == 11:  # one episode is cut short
            env.reset()
            notes.reset(0)
    history = env.recorder.history()
    notes.check(history)
    assert [np.sum(history.run == run) for run in history.runs] == [5, 5, 2, 5]
    assert history.scenario == SHORT
    assert history.columns == ALL_COLUMNS


def test_a_recorded_environment_can_be_made_again():
    env = RecordHistory(gym.make("SliceRAN-v0", scenario=SHORT), ALL_COLUMNS)
    again = gym.make(env.spec)
    again.reset(seed=0)
    again.step(0)
    assert again.get_wrapper_attr("recorder").history().columns == ALL_COLUMNS


def test_a_recorder_refuses_what_it_cannot_know():
    env = gym.make("SliceRAN-v0", scenario=SHORT)
    recorded = RecordHistory(env)
    with pytest.raises(ValueError, match="no decision was recorded"):
        recorded.recorder.history()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="no episode has begun in cell 0; reset the recorded environment first"):
        recorded.step(0)
    with pytest.raises(ValueError, match="columns: unknown name 'delay'"):
        RecordHistory(env, (*PERFORMANCE, Column("delay"))).reset()
    recorder = Recorder(SHORT)
    recorder.begin(4, env.reset()[1])
    recorder.forget(4)
    assert not recorder.knows(4)
    assert len(recorder) == 0


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_wrapper_records_what_happened(mode):
    envs = gym.make_vec("SliceRAN-v0", num_envs=3, scenario=SHORT, autoreset_mode=mode)
    envs = RecordHistoryVector(envs, ALL_COLUMNS)
    notes, over = Notes(3), np.zeros(3, bool)
    envs.reset(seed=[7, 8, 9])
    for cell in range(3):
        notes.reset(cell, seed=7 + cell)
    random = np.random.default_rng(0)
    for number in range(14):
        if number == 3:  # from here on the episodes of the cells end at different times
            envs.reset(options={"reset_mask": np.array([False, True, False])})
            notes.reset(1)
        if (mode is AutoresetMode.DISABLED or number == 5) and over.any():  # at 5, ahead of NextStep's own reset
            envs.reset(options={"reset_mask": over})
            for cell in np.flatnonzero(over):
                notes.reset(cell)
            over[:] = False
        actions = random.integers(171, size=3)
        truncations = envs.step(actions)[3]
        for cell in range(3):
            if mode is AutoresetMode.NEXT_STEP and over[cell]:
                notes.reset(cell)
                continue
            assert notes.step(cell, actions[cell]) == truncations[cell]
            if mode is AutoresetMode.SAME_STEP and truncations[cell]:
                notes.reset(cell)
        over = truncations.copy()
    history = envs.recorder.history()
    notes.check(history)
    assert len(history) == (3 * 14 - 3 if mode is AutoresetMode.NEXT_STEP else 3 * 14)  # 3 steps began episodes
    assert len(set(np.unique(history.run, return_counts=True)[1].tolist())) > 1


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasiums_own_batch_is_recorded_alike(mode):
    """With a wrapper below that puts a dictionary into the info."""
    native = gym.make_vec("SliceRAN-v0", num_envs=2, scenario=SHORT, autoreset_mode=mode)
    theirs = SyncVectorEnv([lambda: gym.make("SliceRAN-v0", scenario=SHORT)] * 2, autoreset_mode=mode)
    recorded = [RecordHistoryVector(RecordEpisodeStatistics(envs)) for envs in (native, theirs)]
    for envs in recorded:
        envs.reset(seed=5)
        for number in range(13):
            envs.step(np.array([number, 170 - number]))
    assert_same(*(envs.recorder.history() for envs in recorded))


class Spy(gym.Wrapper):
    """Writes down the seeds and actions that it is given, with the number of its cell."""

    def __init__(self, env: gym.Env, cell: int, log: list[tuple]) -> None:
        super().__init__(env)
        self.cell, self.log = cell, log

    def reset(self, *, seed=None, options=None):
        self.log.append((self.cell, "reset", seed))
        return self.env.reset(seed=seed, options=options)

    def step(self, action):
        self.log.append((self.cell, "step", int(action)))
        return self.env.step(action)


def spied_batch(log: list[tuple]) -> VecNormalize:
    """Two cells below the wrappers that are common with Stable-Baselines3."""

    def make(cell):
        return lambda: Monitor(Spy(gym.make("SliceRAN-v0", scenario=SHORT, reward="utility"), cell, log))

    return VecNormalize(DummyVecEnv([make(0), make(1)]))


def replay(log: list[tuple]) -> Notes:
    notes = Notes(2)
    for cell, what, value in log:
        getattr(notes, what)(cell, value)
    return notes


AGENTS = {
    "DQN": lambda envs: DQN("MlpPolicy", envs, learning_starts=4, train_freq=1, buffer_size=100, batch_size=4, seed=1),
    "A2C": lambda envs: A2C("MlpPolicy", envs, n_steps=2, seed=1, device="cpu"),
}


@pytest.mark.parametrize("agent", AGENTS)
def test_the_callback_records_what_happened(agent):
    log: list[tuple] = []
    model, callback = AGENTS[agent](spied_batch(log)), HistoryCallback(ALL_COLUMNS)
    with pytest.raises(ValueError, match="no decision was recorded"):
        callback.history()
    model.learn(16, callback=callback)  # 8 of each cell: the second episode is under way
    model.learn(16, callback=callback, reset_num_timesteps=False)  # and goes on
    assert sum(what == "reset" for _, what, _ in log) == 2 * (1 + 3)
    replay(log).check(callback.history())
    model.learn(16, callback=callback)  # begins again
    replay(log).check(callback.history())
    assert len(callback.history()) == 48


@pytest.mark.parametrize("agent", AGENTS)
def test_the_callback_leaves_out_episodes_whose_beginning_it_missed(agent):
    log: list[tuple] = []
    model, callback = AGENTS[agent](spied_batch(log)), HistoryCallback()
    model.learn(12)  # 6 of each cell
    missed = sum(what == "reset" for _, what, _ in log)
    model.learn(4, callback=callback, reset_num_timesteps=False)
    with pytest.raises(ValueError, match="no decision was recorded"):
        callback.history()
    model.learn(12, callback=callback, reset_num_timesteps=False)  # 2 of each cell end the episode, 4 follow
    replay(log).check(callback.history(), first_run=missed)
    recorded = len(callback.history())
    assert recorded == 8
    model.learn(8, reset_num_timesteps=False)
    runs_before = len(replay(log).runs)
    model.learn(20, callback=callback, reset_num_timesteps=False)
    history = callback.history()
    notes = replay(log)
    fresh = notes.runs[runs_before:]
    late = history.take(np.isin(history.run, history.runs[-sum(bool(rows) for rows in fresh) :]))
    notes.check(late, first_run=runs_before)
    assert recorded + len(late) == len(history)
