"""What is wrong with a log, collected, so that it is said all at once and in a few lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from twin.data.logs.reader import Table

IntArray = npt.NDArray[np.int64]

MOST_LINES = 7
"""Faults that a message lists; of the others it has the number."""

RULES = ("missing", "short_rows", "drop_identical", "query")
"""Keys of a mapping that help with most faults."""

_MOST_TEXT = 240


class Faults:
    """Faults of a log's rows.

    Args:
        table: the log.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._found: list[tuple[int, str]] = []
        self._rules: list[str] = []
        self.count = 0

    def add(self, rows: IntArray, say: Callable[[int], str], rules: Sequence[str] = RULES) -> None:
        """Note rows of the table that are wrong.

        Args:
            rows: numbers in the table (k,).
            say: what is wrong with the i-th of them.
            rules: keys of a mapping that help.
        """
        self.count += len(rows)
        self._rules += rules if len(rows) else []
        for place in range(min(len(rows), MOST_LINES)):
            self._found.append((int(rows[place]), cut(say(place))))

    def where(self, row: int) -> str:
        """A row for messages."""
        return self._table.where(row)

    def check(self) -> None:
        """Raise a ValueError if there are any; the first rows come first."""
        if not self.count:
            return
        listed = [text for _, text in sorted(self._found)][:MOST_LINES]
        if self.count == 1:
            raise ValueError(f"log: {listed[0]}")
        rest = self.count - len(listed)
        more = [f"  and {rest} more"] if rest else []
        rules = f"mend the log, or name rules in the mapping ({', '.join(dict.fromkeys(self._rules))})"
        lines = [f"log: {self.count} faults; {rules}:", *(f"  {text}" for text in listed), *more]
        raise ValueError("\n".join(lines))


def cut(text: str, most: int = _MOST_TEXT) -> str:
    """A text that is not long."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 4]} ..."
