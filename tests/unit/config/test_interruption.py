import signal
import threading
from itertools import pairwise

from config.interruption import Interrupted, interruption, kept_handlers


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
