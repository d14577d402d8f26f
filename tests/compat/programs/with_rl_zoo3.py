"""rl-zoo3: its own training command, with hyperparameters for the id."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rl_zoo3.train import train

PARAMETERS = """
{env_id}:
  n_envs: 2
  n_timesteps: 300
  policy: "MlpPolicy"
  learning_starts: 50
  buffer_size: 500
"""


def run(env_id: str, folder: str) -> None:
    parameters = Path(folder) / "dqn.yml"
    parameters.write_text(PARAMETERS.format(env_id=env_id))
    sys.argv[1:] = ["--algo", "dqn", "--env", env_id, "--gym-packages", "slicing_gym", "twin"]
    sys.argv += ["--conf-file", str(parameters), "--log-folder", folder, "--eval-freq", "100", "--eval-episodes", "1"]
    train()
    assert Path(folder, "dqn", f"{env_id}_1", f"{env_id}.zip").exists()


if __name__ == "__main__":
    for each in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as made:
            run(each, made)
        print(f"trained: {each}", flush=True)
