"""What is said of keys that had another name, are those of another command, or take files of one's own."""

from __future__ import annotations

import re

ON_POLICY = re.compile("(^|[^a-z])(a2c|ppo|trpo)([^a-z]|$)", re.IGNORECASE)
"""In the names of on-policy algorithms."""

BY_BENCHMARK = (
    "on-policy ones, as PPO, do not go through the loops, but the benchmark runs them: experiments.benchmark_suite "
    "methods=sb3_ppo, or own.name=a2c own._target_=stable_baselines3.A2C"
)
"""What runs an algorithm that keeps no replay buffer."""

RENAMED = {
    "plain": "without_twin",
    "judged_cells": "selection_cells",
    "judged_decisions": "selection_decisions",
    "options": "kwargs",
    "decisions_per_round": "decisions_per_episode",
}
"""Keys of versions before, and what they are called now."""

OWN_FILES = {
    group: f"; one of your own: {group}=<path>.yaml, or a folder with {group}/<name>.yaml as --config-dir"
    for group in ("scenario", "mapping", "agent")
}
"""Where more choices of a group may come from."""

ELSEWHERE = {
    "real_decisions": "; all real decisions of experiments.train are decisions=<number>, those before the first twin "
    "algorithm.collect=<number>",
    "collect_by": "; experiments.train alone collects: a history or a log has no environment to decide in",
    "reward": "; it is what agents learn from, in experiments.train; policies are compared by U, whatever the reward",
}
"""Keys that only another command has, or none, and why."""
