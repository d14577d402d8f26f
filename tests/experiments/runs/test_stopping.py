"""A signal ends a run wherever it comes."""

from __future__ import annotations

import signal
import time
import weakref

import pytest

from experiments.runs.stopping import Stopped, stopped_by_signals, stops_kept


class Thing:
    pass


class Last:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def drop_and_wait(things: list[object]) -> None:
    """A signal that comes as they go has to end this long before it returns."""
    with stopped_by_signals():
        things.clear()
        time.sleep(5.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_in_the_callback_of_a_weak_reference_is_not_lost(number):
    things = [Thing()]
    reference = weakref.ref(things[0], lambda _: signal.raise_signal(number))
    with pytest.raises(Stopped) as stopped:
        drop_and_wait(things)
    assert stopped.value.number == number
    assert reference() is None


def test_nor_is_one_that_comes_as_an_object_goes():
    with pytest.raises(Stopped):
        drop_and_wait([Last()])


def made_another_of(interrupted: BaseException, error: Exception) -> None:
    """As libraries do: what they clean up with fails where they were interrupted, and they tell of that."""
    try:
        try:
            raise interrupted
        finally:
            None.clean()  # type: ignore[attr-defined]
    except AttributeError:
        raise error from None


def test_an_error_that_took_the_place_of_a_signal_is_that_signal():
    with pytest.raises(Stopped) as stopped, stops_kept():
        made_another_of(Stopped(signal.SIGTERM), ValueError("cannot compose"))
    assert stopped.value.number == signal.SIGTERM


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="cannot compose"), stops_kept():
        made_another_of(KeyError("another"), ValueError("cannot compose"))
    with pytest.raises(OSError, match="full"), stops_kept():  # while a stopped run wrote its checkpoint
        made_another_of(Stopped(signal.SIGTERM), OSError("the disk is full"))


def test_errors_that_are_each_others_causes_end_the_search_for_a_signal():
    """As OmegaConf raises them in a debugger."""
    error, other = ValueError("one"), ValueError("other")
    error.__cause__ = other.__cause__ = error
    with pytest.raises(ValueError, match="one"), stops_kept():
        made_another_of(KeyError("another"), error)
    error.__context__ = None
    error.__cause__, other.__cause__ = other, error
    with pytest.raises(Stopped), stops_kept():  # behind it there is a signal, too
        made_another_of(Stopped(signal.SIGTERM), error)
