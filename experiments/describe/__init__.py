"""What a cell is before anything learns in it: `describe(scenario)`, and the command over it."""

from experiments.describe.link import Link, LinkBudget, free_space_loss_db, link_budget
from experiments.describe.load import SliceLoad, fewest_units_for_ssr, offered_bps
from experiments.describe.plausibility import implausible
from experiments.describe.run import Description, describe
from experiments.describe.settings import Settings

__all__ = [
    "Description",
    "Link",
    "LinkBudget",
    "Settings",
    "SliceLoad",
    "describe",
    "fewest_units_for_ssr",
    "free_space_loss_db",
    "implausible",
    "link_budget",
    "offered_bps",
]
