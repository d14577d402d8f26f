"""Allocations as logs hold them (units, shares, masks, caps) as units of slices, and units that belong to nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from slicing_gym.allocation import share_out
from twin.data.logs.rules import SHARES, AllocationRule

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

SLACK = 0.015
"""How far shares may be from 1 (of percent, from 100 %) in all, for they are rounded."""


def units_of(
    rule: AllocationRule,
    given: npt.NDArray[Any],
    different: Sequence[Any],
    num_units: int,
    where: Callable[[int], str],
) -> tuple[IntArray, list[str]]:
    """The units of slices (m, S), and what is to be reported.

    Args:
        rule: what the column holds.
        given: its values (m, S); of masks the numbers of `different`; NaN or -1: of an absent slice.
        different: the masks.
        num_units: that there are.
        where: an interval, for messages.

    Raises:
        ValueError: shares or masks are not of the form, or masks overlap.
    """
    if rule.kind == "mask":
        return _of_masks(rule, given, different, num_units, where), []
    if rule.kind in SHARES:
        return _of_shares(rule, np.nan_to_num(given), num_units, where), []
    units = np.nan_to_num(given).astype(np.int64)
    if rule.kind == "caps":
        beyond = units.sum(axis=1) > num_units
        if beyond.any():
            units[beyond] = share_out(units[beyond], num_units)
            count = int(beyond.sum())
            return units, [f"{count} intervals with caps of more than {num_units} units: shared out in proportion"]
    return units, []


def _of_shares(rule: AllocationRule, shares: FloatArray, num_units: int, where: Callable[[int], str]) -> IntArray:
    """Whole units: rounded, and where the shares add up to 1 so that the units add up, too (largest remainder)."""
    whole = SHARES[rule.kind]
    total = shares.sum(axis=1) / whole
    if (wrong := total > 1.0 + SLACK).any():
        row = int(wrong.argmax())
        raise ValueError(
            f"{rule.column}: {shares[row].tolist()} in {where(row)} add up to {total[row] * whole:g}, allowed is "
            f"{whole:g} at most"
        )
    quotas = shares / whole * num_units
    full = np.abs(total - 1.0) <= SLACK
    units = np.rint(quotas).astype(np.int64)
    down = np.floor(quotas[full] / total[full, None]).astype(np.int64)
    left = num_units - down.sum(axis=1, keepdims=True)
    ranks = np.argsort(
        np.argsort(down - quotas[full] / total[full, None], axis=1, kind="stable"), axis=1, kind="stable"
    )
    units[full] = down + (ranks < left)
    return units


def _of_masks(
    rule: AllocationRule, codes: IntArray, masks: Sequence[Any], num_units: int, where: Callable[[int], str]
) -> IntArray:
    """The units of the groups whose bits are set."""
    texts = [str(mask or "").strip().lstrip("'") for mask in masks]
    used = sorted(set(np.unique(codes[codes >= 0]).tolist()))
    length = len(texts[used[0]]) if used else 0
    group = rule.group or _group(num_units, length)
    for code in used:
        text = texts[code]
        if set(text) - {"0", "1"} or not text:
            raise ValueError(f"{rule.column}: {masks[code]!r} given, allowed are texts of 0 and 1")
        if len(text) != length or group is None or -(-num_units // group) != length:
            groups = "groups" if group is None else f"{-(-num_units // group)} groups of {group} units"
            raise ValueError(
                f"{rule.column}: {masks[code]!r} has {len(text)} bits, which fit no carrier of {num_units} units in "
                f"{groups}"
            )
    assert group is not None or not used
    bits = np.array([[each == "1" for each in texts[code].ljust(length, "0")[:length]] for code in range(len(texts))])
    bits = np.concatenate([bits.reshape(len(texts), length), np.zeros((1, length), np.bool_)])  # the last: absent
    sizes = np.full(length, group or 1)
    sizes[-1:] = num_units - (length - 1) * (group or 1)
    units = (bits @ sizes)[codes]
    for start in range(0, len(codes), 1 << 16):
        shared = bits[codes[start : start + (1 << 16)]].sum(axis=1, dtype=np.int64).max(axis=1) > 1
        if shared.any():
            row = start + int(shared.argmax())
            raise ValueError(
                f"{rule.column}: {[texts[code] for code in codes[row]]} in {where(row)} overlap, allowed is a group to "
                "one slice each"
            )
    return np.asarray(units, np.int64)


def _group(num_units: int, length: int) -> int | None:
    """The fewest units in a group that make `length` groups, the last of which may be smaller."""
    return next((size for size in range(1, num_units + 1) if -(-num_units // size) == length), None)
