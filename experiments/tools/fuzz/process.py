"""`process`: runs of every kind, killed, ended, suspended and gone on with; they end with the bytes of a whole one."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

from experiments.runs import checkpoint, state_of
from experiments.tools.digests import digests
from experiments.tools.fuzz.cases import Fault
from experiments.tools.fuzz.mutate import Random
from experiments.tools.fuzz.nursery import End, Interruption, Life, Nursery
from experiments.tools.fuzz.runs import KINDS, TEACHER, warm_up, write_parts

_SIGNALS = ("KILL", "KILL", "KILL", "TERM", "TERM", "HUP", "INT", "STOP")
_STATUSES = {"KILL": (-9,), "TERM": (-15, 143), "HUP": (-1, 143), "INT": (-2, 130), "STOP": ()}
"""How a run may end by a signal, in addition to 0: by the signal itself before the command has begun."""


@dataclass(frozen=True)
class Whole:
    """A run that was not interrupted: its bytes, seconds, and operations on its files."""

    digests: dict[str, str]
    seconds: float
    operations: int


class ProcessFuzzer:
    """A case interrupts a run of some kind once or twice at random moments, and then lets it end.

    Half of the moments are times, half are operations on the run's files, so that each of them is a moment to die at.

    Args:
        kinds: names of the kinds of runs; None: all.
    """

    errors = ()
    limit_s = 900.0

    def __init__(self, kinds: tuple[str, ...] | None = None) -> None:
        self._kinds = tuple(KINDS) if kinds is None else kinds
        self._folder = Path(tempfile.mkdtemp(prefix="interrupted-"))
        write_parts(self._folder)
        (self._folder / "cache").mkdir()
        paths = {"SLICING_GYM_CACHE": str(self._folder / "cache"), "PYTHONPATH": f".:{self._folder}"}
        self._nursery = Nursery(f"{warm_up.__module__}:{warm_up.__name__}", self._folder, paths)
        weakref.finalize(self, _end, self._nursery, self._folder)
        self._wholes: dict[str, Whole] = {}

    def try_case(self, random: Random) -> str:
        """See `Fuzzer`; returns the last signal, and where it found the run."""
        kind = self._kinds[int(random.integers(len(self._kinds)))]
        whole = self.whole(kind)
        folder = self._folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        outcome = ""
        for _ in range(int(random.integers(1, 3))):
            interruptions = _interruptions(whole, random)
            end = self._start(kind, folder, interruptions)
            _check_interrupted(kind, interruptions, end, self._printed())
            if end.status == 0 and interruptions[0].name != "STOP":
                outcome = outcome or "ended before"
                break
            at = state_of(folder) + (" with a checkpoint" if (folder / checkpoint.FILE).exists() else "")
            outcome = f"{'+'.join(each.name for each in interruptions)} {at}"
        again = KINDS[kind].again
        if again is not None and random.random() < 0.5 and (folder / ".hydra" / "overrides.yaml").exists():
            self._finish(kind, folder, (*again, f"resume={folder}", "progress=false"))
        else:
            self._finish(kind, folder, KINDS[kind].arguments)
        found = digests(folder)
        wrong = [name for name in found.keys() | whole.digests.keys() if found.get(name) != whole.digests.get(name)]
        if wrong:
            raise Fault(f"{kind}, {outcome}: other bytes in {', '.join(sorted(wrong))}")
        return outcome

    def whole(self, kind: str) -> Whole:
        """A run of a kind that nothing interrupts, made when it is first asked for."""
        if kind == "distilled" and not (self._folder / "teacher").exists():
            self._finish(TEACHER, self._folder / "teacher", KINDS[TEACHER].arguments)
        if kind not in self._wholes:
            folder = self._folder / f"whole-{kind}"
            end = self._finish(kind, folder, KINDS[kind].arguments)
            self._wholes[kind] = Whole(digests(folder), end.seconds, end.operations)
        return self._wholes[kind]

    def _finish(self, kind: str, folder: Path, arguments: tuple[str, ...]) -> End:
        """Start a run that is to end by itself, and well."""
        end = self._start(kind, folder, [], arguments)
        printed = self._printed()
        if end.hung or end.status or "Traceback" in printed:
            raise Fault(f"{kind}: {'it hung' if end.hung else f'status {end.status}'}: {printed[-600:]}")
        if state_of(folder) != "done":
            raise Fault(f"{kind}: ended, but is {state_of(folder)}")
        return end

    def _start(
        self, kind: str, folder: Path, interruptions: list[Interruption], arguments: tuple[str, ...] | None = None
    ) -> End:
        typed = [each.format(folder=self._folder) for each in arguments or KINDS[kind].arguments]
        if not any(each.startswith("resume=/") for each in typed):
            typed.append(f"hydra.run.dir={folder}")
        self._output.unlink(missing_ok=True)
        return self._nursery.run(Life(KINDS[kind].module, typed, str(folder), str(self._output), interruptions))

    @property
    def _output(self) -> Path:
        return self._folder / "output.txt"

    def _printed(self) -> str:
        return self._output.read_text() if self._output.exists() else ""


def _interruptions(whole: Whole, random: Random) -> list[Interruption]:
    """A signal at a random moment; now and then a second one shortly after, which is what impatience sends."""
    name, by_time = str(random.choice(_SIGNALS)), bool(random.random() < 0.5)
    first = float(random.uniform(0.0, whole.seconds) if by_time else random.integers(1, whole.operations + 1))
    made = [Interruption(name, first, by_time)]
    if name in ("TERM", "INT", "HUP") and random.random() < 0.3:
        later = first + (float(random.uniform(0.0, 0.05)) if by_time else float(random.integers(1, 4)))
        made.append(Interruption(str(random.choice(["TERM", "INT", "KILL"])), later, by_time))
    return made


def _check_interrupted(kind: str, interruptions: list[Interruption], end: End, printed: str) -> None:
    """Refuse an end that a signal should not bring."""
    names = "+".join(each.name for each in interruptions)
    where = f"{names} {'after' if interruptions[0].by_time else 'at operation'} {interruptions[0].moment:.3g}"
    allowed = {0, *(status for each in interruptions for status in _STATUSES[each.name])}
    if end.hung or end.status not in allowed:
        why = "it hung" if end.hung else f"status {end.status}"
        raise Fault(f"{kind}, {where}: {why}: {printed[-600:]}")
    if "Traceback" in printed:
        raise Fault(f"{kind}, {where}: a traceback: {printed[-1500:]}")


def _end(nursery: Nursery, folder: Path) -> None:
    nursery.close()
    shutil.rmtree(folder, ignore_errors=True)
