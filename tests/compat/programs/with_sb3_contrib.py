"""sb3-contrib: QRDQN and TRPO, each given the id."""

from __future__ import annotations

import sys

from sb3_contrib import QRDQN, TRPO
from weights import fingerprint

import slicing_gym  # noqa: F401
import twin  # noqa: F401


def train(env_id: str) -> None:
    small = {"n_quantiles": 5, "net_arch": [32]}  # with 4851 actions the usual 200 quantiles are a million outputs
    for model in (
        QRDQN("MlpPolicy", env_id, learning_starts=50, buffer_size=500, policy_kwargs=small, seed=0),
        TRPO("MlpPolicy", env_id, n_steps=64, batch_size=64, seed=0),
    ):
        before = fingerprint(model.policy)
        model.learn(128)
        assert fingerprint(model.policy) != before


if __name__ == "__main__":
    for each in sys.argv[1:]:
        train(each)
        print(f"trained: {each}", flush=True)
