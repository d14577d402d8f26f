"""What each column is likely to be, by the words in its name and the kind of its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twin.data.logs.rules import VOLUMES
from twin.inspection.cells import Cells


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORDS: dict[str, frozenset[str]] = {
    "time": _words("t time timestamp ts sec secs second seconds date datetime epoch interval step tick"),
    "slice": _words("slice sliceid snssai nssai sst sd service qci 5qi drb bearer"),
    "ue": _words("ue ueid imsi rnti crnti user userid supi"),
    "run": _words(
        "run experiment exp episode trial cell cellid gnb gnbid gnodeb enb enbid enodeb bs site sector nci pci "
        "zelle zell standort sektor cellule"
    ),
    "arrivals": _words(
        "pkts pkt packets packet arrivals arrived sdu sdus offered demand bytes byte volume vol traffic octets"
    ),
    "allocation": _words(
        "prb prbs rb rbs rbg rbgs alloc allocation allocated quota share shares mask units action budget"
    ),
    "rate": _words("rate brate thp thpt throughput tput goodput bitrate mbps kbps bps"),
}
"""Words of the names of public KPI logs, by what a column is."""

UNITS = _words("prb prbs rb rbs rbg rbgs unit units")
"""Words of an allocation that is counted in pieces of the band, not in parts of it."""

AHEAD = _words("next action decided decision chosen new target")
"""Words of an allocation that was decided for the next interval."""

NOT_ARRIVALS = _words(
    "dropped drop lost loss error errors err ratio rate mean size buffer queue backlog retx nack delay"
)
NOT_ALLOCATION = _words(
    "ratio requested request used usage util utilization utilisation available total tot scheduler type reward id"
)
DECISIONS = _words("policy dedicated quota")
"""Words of an allocation that was decided, whatever it follows."""

UPLINK = _words("ul uplink rx")
TRANSMITTED = _words("tx sent transmitted delivered served carried throughput")
"""Words of what was let through, not of what was asked for."""

OFFERED = _words("offered demand demanded requested incoming arrivals arrival arrived arriving")
"""Words of what was asked for, whatever was let through of it."""

CARRIED = TRANSMITTED | _words("volume vol traffic bytes byte octets")
"""These, and words of volumes, which in most systems are what was let through."""

OF_ACCESS = _words("preamble preambles rach prach bearer bearers")
"""Words of ratios that are dedicated, too, and are no parts of the band."""

VOLUME = _words("volume vol traffic")
"""Words of what is no number of packets, even where it is whole and of SDUs."""

DELAYS = _words("delay latency rtt")
PACKETS = _words("pkts pkt packets packet arrivals arrived sdu sdus")
MEANS = _words(
    "cqi mcs snr sinr rssi rsrp rsrq phr bler delay latency rtt ratio percent pct power ri pmi iters mean avg average"
)
"""Words of quantities whose mean over users is that of a slice; others are summed."""

_COUNTED = _words("conn connected users ues active num number count counter") | DELAYS | VOLUME
_SIGNED = _words("db dbm snr sinr rsrp rsrq rssi phr power gain offset change diff delta reward norm normalized")

MOST_SLICES = 32


def tokens(name: str) -> list[str]:
    """The words of a column's name, in small letters: `DRB.UEThpDl [Mbps]` is drb, ue, thp, dl, mbps; `gNB`, gnb."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", " ", str(name))
    joined = re.sub(r"(?<![a-z0-9])s[^a-z0-9]nssai", "snssai", apart.lower())
    joined = re.sub(
        r"(?<![a-z0-9])([eg])[^a-z0-9]?(?:(nb)|(node)[^a-z0-9]?(b))(?=(?:id)?(?![a-z0-9]))",
        lambda found: "".join(filter(None, found.groups())) + " ",
        joined,
    )
    return [word for word in re.split(r"[^a-z0-9]+", joined) if word]


def unit_in(name: str) -> str:
    """The unit that a name says: in brackets, or as its last word."""
    in_brackets = re.search(r"[\[(]([^\])]+)[\])]", name)
    if in_brackets:
        return in_brackets[1].strip()
    last = (tokens(name) or [""])[-1]
    if last in _BITS_OR_BYTES:
        return ""
    known = {"mbps": "Mbit/s", "kbps": "kbit/s", "bps": "bit/s", "ms": "ms", "us": "us", "sec": "s"}
    return known.get(last, _VOLUMES.get(last, {"pkts": "packets", "packets": "packets"}.get(last, "")))


_VOLUMES = {
    "bits": "bit",
    "bytes": "byte",
    "octets": "byte",
    "kbytes": "kB",
    "mbytes": "MB",
    "gbytes": "GB",
    "kbits": "kbit",
    "mbits": "Mbit",
    "gbits": "Gbit",
    "kbyte": "kB",
    "mbyte": "MB",
    "gbyte": "GB",
    **{unit.lower(): unit for unit in VOLUMES},
}
"""Units of volumes by how names have them, in small letters."""


_BITS_OR_BYTES = {"kb": "kbit", "mb": "Mbit", "gb": "Gbit"}
"""Units of which only a capital letter says whether bits or bytes are meant, and what they are with a small b."""


def volume_unit(name: str) -> str | None:
    """The unit of a volume that a name says, one of `VOLUMES`; None if it says none, or may mean bits as well as bytes.

    In brackets `Mb` is a megabit and `MB` a megabyte; `mb` may be either, and so may a last word, as in `VOLUME_MB`.
    """
    unit = unit_in(name)
    if unit.lower() in _BITS_OR_BYTES and unit.endswith("b"):
        return None if unit in ("mb", "gb") else _BITS_OR_BYTES[unit.lower()]
    return unit if unit in VOLUMES else _VOLUMES.get(unit.lower())


def likely_unit(name: str) -> str | None:
    """`volume_unit`, or what a word in small or capital letters most likely means: `MB` in `VOL_MB`; None if none."""
    short = next((word for word in re.split(r"[^A-Za-z]+", name) if word.lower() in _BITS_OR_BYTES), "")
    in_short = (_BITS_OR_BYTES[short.lower()] if short.endswith("b") else _VOLUMES[short.lower()]) if short else None
    return volume_unit(name) or in_short


def says(name: str, words: frozenset[str]) -> bool:
    """Whether a name has one of the words; digits at the end of a word do not count."""
    return any(word in words or word.rstrip("0123456789") in words for word in tokens(name))


def time_column(cells: Mapping[str, Cells], constant: bool = False) -> str | None:
    """The column that says when: whole numbers of intervals before stamps, by name before dates of any name.

    Args:
        cells: of the columns.
        constant: whether one of columns that hold a single time is asked for.
    """
    named = [each for each in cells.values() if says(each.name, WORDS["time"]) and each.kind in _TIMES]
    counts = [each for each in named if {"interval", "step"} & set(tokens(each.name)) and each.kind == "whole"]
    dated = [each for each in cells.values() if each.kind == "time"]
    plain = [each for each in named if set(tokens(each.name)) & _PLAIN_TIMES]
    found = [each for each in (*counts, *dated, *plain, *named) if each.constant == constant]
    return found[0].name if found else None


_TIMES = ("whole", "number", "time")
_PLAIN_TIMES = _words("t time timestamp ts date datetime epoch")


def key_columns(cells: Mapping[str, Cells], time: str | None) -> dict[str, str]:
    """The columns that say of which slice, UE and run a row is, where there are such; further runs are `run 2`, ..."""
    found: dict[str, str] = {}
    for role in ("slice", "ue", "run"):
        fits = [
            name
            for name, each in cells.items()
            if each.kind in ("whole", "text")
            and name != time
            and name not in found.values()
            and (role != "slice" or each.distinct() <= MOST_SLICES)
            and is_key(name, role)
        ]
        if role == "run":
            fits = [name for name in fits if not cells[name].constant]
            found |= {f"run {number}" if number > 1 else "run": name for number, name in enumerate(fits, 1)}
        elif fits:
            found[role] = fits[0]
    return found


def is_key(name: str, role: str) -> bool:
    """Whether a name is a key's, not a quantity's: `slice`, `slice_id`, not `slicing_enabled` or `ue_thp`."""
    rest = [word for word in tokens(name) if word.rstrip("0123456789") not in WORDS[role] and word not in WORDS[role]]
    return says(name, WORDS[role]) and all(word in _OF_KEYS for word in rest)


_OF_KEYS = _words("id name index no idx key nr label hash local serving du cu")


def arrivals_column(names: list[str]) -> str | None:
    """The quantity that says how much arrived: downlink before uplink, packets before bytes, offered before sent."""
    fits = [name for name in names if says(name, WORDS["arrivals"]) and not says(name, NOT_ARRIVALS)]

    def rank(name: str) -> tuple[bool, bool, bool, int]:
        return says(name, UPLINK), not says(name, PACKETS), says(name, TRANSMITTED), names.index(name)

    return min(fits, key=rank) if fits else None


def may_be_allocation(cells: Cells) -> bool:
    """Whether a quantity's name and values allow that it is what slices were given."""
    name = cells.name
    of_units = says(name, WORDS["allocation"]) and not says(name, NOT_ALLOCATION)
    return cells.numeric and (of_units or (is_policy_ratio(name) and cells.low >= 0.0 and cells.high <= 100.0))


def is_policy_ratio(name: str) -> bool:
    """Whether a name is that of a ratio that a policy sets, as rRMPolicyDedicatedRatio (3GPP TS 28.541).

    A minimum is none: it says what a slice gets if it needs it, not what it held.
    """
    other = (NOT_ALLOCATION | NOT_ARRIVALS | OF_ACCESS | {"min"}) - {"ratio"}
    return says_percent(name) and says(name, DECISIONS | {"rrm"}) and not says(name, other)


def says_percent(name: str) -> bool:
    """Whether a column's name says that it counts percents; an rRMPolicyDedicatedRatio does (3GPP TS 28.541)."""
    return "ratio" in tokens(name) or any(word in name.lower() for word in ("%", "percent", "pct"))


def is_positive(name: str) -> bool:
    """Whether a name is that of what is never below 0: a count, a volume, a rate, a delay."""
    known = _COUNTED | WORDS["arrivals"] | WORDS["rate"] | WORDS["allocation"] - {"action"}
    return says(name, known) and not says(name, _SIGNED)


def is_ahead(name: str) -> bool:
    """Whether a name says that an allocation was decided for the next interval."""
    return says(name, AHEAD)


def is_control(name: str) -> bool:
    """Whether a name says that something else than the allocation was decided."""
    return bool({"scheduler", "scheduling"} & set(tokens(name)))
