"""`Decision`: an allocation, as units, resource blocks and ratios of an RRM policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from slicing_gym.ranking import allocation_number
from slicing_gym.scenario import Scenario

Percent = int | Decimal
"""A whole number where whole percents say it all, else with the decimals that it takes."""

_RATIOS = ("min", "max", "dedicated")


@dataclass(frozen=True, slots=True)
class Decision:
    """An allocation, and why it is the safe one, if it is.

    Args:
        units: what each slice gets (n_slices,).
        scenario: that it is an allocation of.
        reason: why the policy was not asked, or None.
    """

    units: tuple[int, ...]
    scenario: Scenario = field(repr=False)
    reason: str | None = None

    @property
    def fallback(self) -> bool:
        """Whether this is the safe allocation because the policy was not asked."""
        return self.reason is not None

    @property
    def action(self) -> int:
        """The number of the allocation, as environments take it."""
        return allocation_number(self.units)

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices."""
        return self.scenario.slice_names

    @property
    def prbs(self) -> tuple[int, ...]:
        """Resource blocks of each slice (n_slices,): as many as its units hold, as the simulator counts them."""
        return tuple(self.scenario.radio.resource_blocks(self.units).tolist())

    @property
    def percents(self) -> tuple[Percent, ...]:
        """Of the units, for each slice (n_slices,), with as many decimals as give the units back; 100 in all.

        A slice's units are its percents times `num_units` / 100, rounded to whole units.
        """
        decimals = true_decimals(sum(self.units), len(self.units))
        steps = largest_remainder(self.units, 100 * 10**decimals)
        return tuple(Decimal(each).scaleb(-decimals) if decimals else each for each in steps)

    @property
    def whole_percents(self) -> tuple[int, ...]:
        """The same rounded to whole percents of 1 or more (n_slices,), 100 in all; see `largest_remainder`.

        Raises:
            ValueError: there are more than 100 slices.
        """
        return largest_remainder(self.units, 100)

    @property
    def ratios(self) -> dict[str, dict[str, Percent]]:
        """The ratios of each slice's RRM policy [%], as exact as `percents`.

        `min`, `max` and `dedicated` are rRMPolicyMinRatio, rRMPolicyMaxRatio and rRMPolicyDedicatedRatio of 3GPP TS
        28.541 (RRMPolicyRatio), in O-RAN's E2SM-RC the PRB policy ratios of the slice-level PRB quota. All three are
        equal, because in the simulator what a slice does not use serves nobody else. Both interfaces take whole
        percents: see `whole_ratios`.
        """
        return {name: dict.fromkeys(_RATIOS, percent) for name, percent in zip(self.slices, self.percents, strict=True)}

    @property
    def whole_ratios(self) -> dict[str, dict[str, int]]:
        """As `ratios`, in `whole_percents`.

        Raises:
            ValueError: there are more than 100 slices.
        """
        return {
            name: dict.fromkeys(_RATIOS, percent)
            for name, percent in zip(self.slices, self.whole_percents, strict=True)
        }


def true_decimals(num_units: int, num_slices: int) -> int:
    """As few decimals of percents as make sure that the units of every allocation can be told from them.

    The largest remainder is off by at most (n_slices - 1) / n_slices of the last decimal, and that has to be less than
    half a unit; or nothing is rounded at all.
    """
    decimals = 0
    while (steps := 100 * 10**decimals) % num_units and 2 * num_units * (num_slices - 1) >= num_slices * steps:
        decimals += 1
    return decimals


def largest_remainder(units: Sequence[int], steps: int) -> tuple[int, ...]:
    """Shares of `steps` in proportion to units: 1 or more each and `steps` in all.

    All are rounded down, and where most is missing one is added, of equal ones to the first slice. A share below 1
    becomes 1, and is taken from whoever has most too much.

    Args:
        units: of each slice (n_slices,), 1 or more.
        steps: to share out, such as 100 for whole percents.

    Raises:
        ValueError: there are more slices than steps.
    """
    if len(units) > steps:
        raise ValueError(f"slices: {len(units)} given, allowed are {steps}, of 1/{steps} of the units each")
    total = sum(units)
    shares = [max(steps * each // total, 1) for each in units]
    missing = [steps * each - total * share for each, share in zip(units, shares, strict=True)]
    while (left := steps - sum(shares)) != 0:
        # One more to whom most is missing, or one less to who has most too much and keeps at least one.
        step = 1 if left > 0 else -1
        places = [place for place, share in enumerate(shares) if share + step >= 1]
        place = max(places, key=lambda place: step * missing[place])
        shares[place] += step
        missing[place] -= step * total
    return tuple(shares)
