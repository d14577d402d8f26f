"""Why agents of some logs go into no file and teach no student, by the keys of the log's mapping."""

from __future__ import annotations

HELD = (
    "files and students know no choice among held allocations (`allowed: held` in the log's mapping; allowed is "
    "`allowed: all`, then fit and train again)"
)
EMPTY = (
    "files and students know no slices without units (`idle`, `smallest: 0` or `absent` in the log's mapping; allowed "
    "are none of these, but `absent: gap`, then fit and train again)"
)


def reason(held: bool, empty: bool) -> str:
    """The reason that applies: a choice among held allocations, slices that may hold no unit, or "" for neither."""
    return HELD if held else EMPTY if empty else ""


def if_of_a_log(actions: int, listed: int) -> str:
    """What to add where a policy chooses among another number of allocations than its scenario has.

    Args:
        actions: that the policy chooses among; 0 if it has no such number.
        listed: allocations of the scenario.
    """
    return "" if actions in (0, listed) else f"; of a log: {reason(actions < listed, True)}"
