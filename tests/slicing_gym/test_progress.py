"""How often a progress bar is written, by who watches."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from slicing_gym.progress import INTERVAL_S, ProgressBar


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def shell(**attributes):
    """IPython as a session finds it among the modules that were imported."""
    return SimpleNamespace(get_ipython=lambda: SimpleNamespace(**attributes))


@pytest.mark.parametrize(
    ("stream", "ipython", "watched"),
    [
        (io.StringIO, None, False),
        (Terminal, None, True),
        (io.StringIO, shell(kernel=object()), True),  # the stream of a kernel is no terminal
        (io.StringIO, shell(), False),  # IPython in a shell whose output is piped
        (io.StringIO, SimpleNamespace(get_ipython=lambda: None), False),  # imported, but nobody's shell
        (io.StringIO, SimpleNamespace(), False),  # something else of that name
    ],
    ids=["file", "terminal", "notebook", "piped shell", "imported", "no shell"],
)
def test_a_bar_is_written_at_once_where_somebody_watches(stream, ipython, watched, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", ipython) if ipython else monkeypatch.delitem(
        sys.modules, "IPython", raising=False
    )
    monkeypatch.setattr(sys, "stderr", stream())
    with ProgressBar(total=3) as bar:
        assert (bar.mininterval < 1.0) == watched
        assert bar.mininterval in (0.1, INTERVAL_S)


def test_a_file_of_a_notebook_is_a_file(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", shell(kernel=object()))
    with ProgressBar(total=3, file=io.StringIO()) as bar:
        assert bar.mininterval == INTERVAL_S
    with ProgressBar(total=3, file=io.StringIO(), mininterval=90.0) as bar:
        assert (bar.mininterval, bar.maxinterval) == (90.0, 180.0)


@pytest.mark.parametrize(("stream", "written"), [(io.StringIO, False), (Terminal, True)], ids=["file", "terminal"])
def test_a_short_bar_that_does_not_stay_leaves_nothing_in_a_file(stream, written):
    file = stream()
    for _ in ProgressBar(range(3), file=file, leave=False):
        pass
    assert bool(file.getvalue()) == written


@pytest.mark.parametrize(("stream", "lines"), [(io.StringIO, True), (Terminal, False)], ids=["file", "terminal"])
def test_a_state_is_a_line_of_its_own_in_a_file(stream, lines):
    file = stream()
    with ProgressBar(total=3, file=file) as outer, ProgressBar(total=2, file=file) as inner:
        for bar in (outer, inner):
            bar.update()
            bar.refresh()
    written = file.getvalue()
    assert ("\r" not in written and "\x1b" not in written) == lines
    assert (max(line.count("%") for line in written.split("\n")) == 1) == lines
    assert "| 1/3 [" in written


@pytest.mark.parametrize("leave", [True, None])
def test_a_file_has_no_empty_line(leave):
    file = io.StringIO()
    with ProgressBar(total=3, file=file, leave=leave) as outer, ProgressBar(total=2, file=file, leave=leave) as inner:
        for bar in (inner, outer):
            bar.update(2)
            bar.refresh()
    lines = file.getvalue().split("\n")
    assert lines.pop() == ""  # the last line is ended
    assert all("/" in line for line in lines)
    assert "2/2" in lines[2]
    assert "2/3" in lines[-1]
