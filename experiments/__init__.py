"""Experiments: loops, studies and reports as a library, each topic with a thin command over it.

`from experiments.train import Settings, train` in Python, `python -m experiments.train` in a shell. No topic needs
Hydra but its command.
"""

import slicing_gym  # noqa: F401  # explains what is missing
from slicing_gym.extras import check_command

check_command()
