"""Values as Hydra's grammar and a shell write them: quoted, without their quotes, and taken apart at commas."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

_PIECE = re.compile(
    r"""(?:\s*('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\s*|((?:\\.|[^,\\])*\\?))(,|$)""",
    re.DOTALL,
)
"""A value that is quoted, or one that is not, and the comma after it."""

_OPENED = re.compile(r"""[=\[({,:]\s*['"]""")
"""A quote where one may begin inside a value."""

_INSIDE = re.compile(r"""([=\[({,:]\s*)(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL)
"""What stands in quotes inside a value, and what is before it."""

_ESCAPED = re.compile(r"\\([\\()\[\]{}:=, \t])")
"""What has a backslash where it is not quoted: so Hydra writes the values of a sweep."""

_PLAIN = re.compile(r"(?!(?:null|true|false|nan|inf)$)(?:[a-z]|\.{0,2}/)[\w./+*?@%:-]*", re.ASCII | re.IGNORECASE)
"""What Hydra takes for the text that it is."""


def pieces(value: str) -> list[str]:
    """The values of `key=a,'b,c'`, each as it was typed; a comma in quotes or after a backslash is part of one."""
    found, place = [], 0
    while place <= len(value):
        match = _PIECE.match(value, place)
        assert match is not None  # an empty value matches anywhere
        found.append(match[1] or match[2])
        place = match.end() + (match.end() == len(value) and not match[3])
    return found


def joined(parts: Sequence[str]) -> list[str]:
    """Pieces, of which those are one again that a comma in brackets or quotes has parted: `x=1,y=[64,64],z='a,b'`."""
    found: list[str] = []
    for part in parts:
        if found and _is_open(found[-1]):
            found[-1] += f",{part}"
        else:
            found.append(part)
    return list(parts) if found and _is_open(found[-1]) else found  # a file may be called so


def _is_open(text: str) -> bool:
    """Whether brackets, or quotes inside a value, are not closed; an apostrophe in a word is no quote."""
    if text[:1] in ("'", '"'):
        return False
    rest = _INSIDE.sub(r"\1", text)
    left, right = (sum(map(rest.count, brackets)) for brackets in ("[({", "])}"))
    return left > right or _OPENED.search(rest) is not None


def unquoted(value: str) -> str:
    """The text that a typed value means."""
    text = value.strip()
    quote = text[:1]
    if len(text) < 2 or quote not in ("'", '"') or text[-1] != quote:
        return _ESCAPED.sub(r"\1", text)
    return re.sub(rf"(\\+)(?={quote}|\$\{{|$)", lambda found: "\\" * (len(found[1]) // 2), text[1:-1])


def is_plain(text: str) -> bool:
    """Whether a text means itself without quotes."""
    return _PLAIN.fullmatch(text) is not None


def quoted(text: str, interpolate: bool = False, mark: str = "'") -> str:
    r"""A text as Hydra reads it whatever is in it: in quotes, of which those inside have a backslash.

    Unless `interpolate`, nothing in it is an interpolation: `${` is written `\${`.
    """
    inner = text if interpolate else re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", text)
    inner = re.sub(rf"(\\*)({mark}|$)", lambda found: found[1] * 2 + (found[2] and f"\\{mark}"), inner)
    return f"{mark}{inner}{mark}"


def as_typed(key: str, *paths: str | os.PathLike[str]) -> str:
    """`key=<path>`, or with several `key=<path>,<path>`, as it can be pasted into a shell."""
    texts = [os.fspath(each) for each in paths]
    return shlex.quote(f"{key}={','.join(each if is_plain(each) else quoted(each, mark=chr(34)) for each in texts)}")
