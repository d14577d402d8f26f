"""A column's cells as numbers, whatever it holds: numbers, times, bit masks or texts; and those that hold none."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.data.logs.reader import Table

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MASK = re.compile(r"['\"b]?[01]{8,}")
_MANY = 20_000


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column.

    Args:
        name: of the column.
        kind: "whole", "number", "time" (dates), "mask" (bits), "text" or "empty".
        numbers: float64 (n,), NaN where there is none; of dates seconds since 1970, of masks the bits that are set, of
            texts the number of the text in `labels`.
        labels: the different texts; none but of texts.
        wrong: positions (k,) of cells that hold no value of the kind.
        shown: what stands in them; None where the row is too short.
        width: bits of a mask, else 0.
    """

    name: str
    kind: str
    numbers: FloatArray
    labels: tuple[str, ...]
    wrong: npt.NDArray[np.intp]
    shown: tuple[str | None, ...]
    width: int = 0

    @property
    def numeric(self) -> bool:
        """Whether they can be summed."""
        return self.kind in ("whole", "number", "mask")

    @property
    def low(self) -> float:
        """The smallest; NaN if there is none."""
        return float(np.nanmin(self.numbers)) if self.kind != "empty" else float("nan")

    @property
    def high(self) -> float:
        """The largest; NaN if there is none."""
        return float(np.nanmax(self.numbers)) if self.kind != "empty" else float("nan")

    @property
    def constant(self) -> bool:
        """Whether every cell that holds a value has the same."""
        return self.kind != "empty" and self.low == self.high

    def in_order(self) -> list[str]:
        """The different texts, in the order in which they first stand in the column."""
        codes, first = np.unique(self.numbers, return_index=True)
        known = ~np.isnan(codes)
        return [self.labels[int(code)] for code in codes[known][np.argsort(first[known], kind="stable")]]

    def distinct(self) -> int:
        """How many different values the first cells have."""
        head = self.numbers[:_MANY]
        return len(np.unique(head[~np.isnan(head)]))


def cells_of(table: Table, name: str) -> Cells:
    """The cells of a column."""
    values = table.columns[name]
    if values.dtype.kind == "O":
        return _texts(table, name)
    if values.dtype.kind == "M":
        seconds = values.astype("datetime64[us]").astype(np.int64) / 1e6
        numbers, kind = np.where(np.isnat(values), np.nan, seconds), "time"
    else:
        numbers = values.astype(np.float64)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
        kind = "number" if values.dtype.kind == "f" and (numbers[~np.isnan(numbers)] % 1.0).any() else "whole"
    wrong = np.flatnonzero(np.isnan(numbers))
    if len(wrong) == len(numbers):
        return Cells(name, "empty", numbers, (), wrong[:0], ())
    return Cells(name, kind, numbers, (), wrong, tuple(_shown(table, name, wrong)))


def _shown(table: Table, name: str, places: npt.NDArray[np.intp]) -> list[str | None]:
    """What stands in cells that hold no number: as the reader found it, or a value that is infinite."""
    found: dict[int, str | None] = {}
    if name in table.wrong:
        given = table.wrong[name]
        found = dict(zip(given.rows.tolist(), given.texts.tolist(), strict=True))
    values = table.columns[name]
    shown = [found[place] if place in found else str(values[place]) for place in places.tolist()]
    return _short_or_empty(table, shown)


def _short_or_empty(table: Table, shown: list[str | None]) -> list[str | None]:
    """Only lines of fields can be too short; elsewhere what is not there is empty."""
    if table.dialect is not None and not table.query:
        return shown
    return ["" if text is None else text for text in shown]


def _texts(table: Table, name: str) -> Cells:
    """The cells of a column of texts; they may be bit masks."""
    codes, texts = table.codes(name)
    codes = codes.astype(np.int64)
    words = ["" if text is None else str(text).strip() for text in texts]
    filled = np.array([bool(word) for word in words], bool)
    masks = np.array([_MASK.fullmatch(word) is not None for word in words], bool)
    counts = np.bincount(codes, minlength=len(words))
    if not counts[filled].sum():
        return Cells(name, "empty", np.full(len(codes), np.nan), (), np.empty(0, np.intp), ())
    is_mask = 2 * counts[masks].sum() > counts[filled].sum()
    bits = [float(word.count("1")) if mask else np.nan for word, mask in zip(words, masks, strict=True)]
    of_each = np.array(bits) if is_mask else np.where(filled, np.arange(len(words), dtype=np.float64), np.nan)
    numbers = of_each[codes]
    wrong = np.flatnonzero(np.isnan(numbers))
    shown = tuple(_short_or_empty(table, [texts[code] for code in codes[wrong].tolist()]))
    if not is_mask:
        return Cells(name, "text", numbers, tuple(words), wrong, shown)
    width = max(len(word.strip("'\"b")) for word, mask in zip(words, masks, strict=True) if mask)
    return Cells(name, "mask", numbers, (), wrong, shown, width)
