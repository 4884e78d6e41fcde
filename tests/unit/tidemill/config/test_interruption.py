import signal
import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tidemill.config.interruption import SIGNALS, Interrupted, interruption, kept_handlers, noted_signals


def chained(*errors: BaseException) -> BaseException:
    """The last of ``errors``, each as if it was raised while the one before it was handled."""
    for before, error in pairwise(errors):
        error.__context__ = before
    return errors[-1]


def test_an_interruption_is_found_behind_what_failed_on_the_way_out() -> None:
    interrupted = Interrupted(signal.SIGTERM)
    assert interruption(chained(interrupted, ConnectionError("gone"), ValueError("again"))) is interrupted
    assert interruption(ValueError("alone")) is None


def test_a_keyboard_interrupt_is_one_by_sigint() -> None:
    found = interruption(chained(KeyboardInterrupt(), ConnectionError("gone")))
    assert found is not None
    assert (found.exit_status, found.signal) == (130, signal.SIGINT)


def test_a_library_does_not_keep_the_signals_it_takes() -> None:
    before = signal.getsignal(signal.SIGINT)
    with kept_handlers():
        signal.signal(signal.SIGINT, lambda *_: None)
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_has_no_handlers_to_keep() -> None:
    entered = []

    def enter() -> None:
        with kept_handlers():
            entered.append(True)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [True]


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of this process are its own again after the test."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_noted_signal_ends_the_block_where_the_block_likes(handlers: None, number: signal.Signals) -> None:
    done = []
    with pytest.raises(Interrupted) as interrupted, noted_signals() as asked:
        assert not asked.is_set()
        signal.raise_signal(number)
        assert asked.wait(0)
        done.append("the rest of the block")
    assert interrupted.value.signal is number
    assert done == ["the rest of the block"]


def test_without_a_signal_the_handlers_are_those_of_before(handlers: None) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with noted_signals():
        assert signal.getsignal(signal.SIGTERM) is not before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_an_error_on_the_way_to_the_end_is_what_is_told(handlers: None) -> None:
    with pytest.raises(ValueError, match="not acknowledged"), noted_signals():
        signal.raise_signal(signal.SIGTERM)
        raise ValueError("not acknowledged")
