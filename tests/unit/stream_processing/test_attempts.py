"""Which attempts at a batch count; the files are a dictionary here, and Hadoop's in the integration tests."""

from contextlib import suppress
from typing import Any, cast

import pytest
from py4j.protocol import Py4JNetworkError

from stream_processing.spark_streaming.taking_apart import attempts
from stream_processing.spark_streaming.taking_apart.attempts import Attempts
from tidemill.config import Settings

SPARK = cast(Any, None)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    kept: dict[str, str] = {}
    monkeypatch.setattr(attempts, "write_text", lambda _, file, text: kept.update({file: text}))
    monkeypatch.setattr(attempts, "read_text", lambda _, file: kept.get(file, ""))
    return kept


def killed(batch_id: int) -> int:
    """The earlier attempts that a process is told of, which is killed at once."""
    return Attempts(Settings(), "silver/t").attempt(SPARK, batch_id).__enter__()


def test_attempts_of_which_nobody_saw_the_end_are_counted_for_their_batch_alone(files: dict[str, str]) -> None:
    assert [killed(7), killed(7), killed(7), killed(8), killed(8)] == [0, 1, 2, 0, 1]


def test_a_batch_that_was_finished_is_begun_anew(files: dict[str, str]) -> None:
    of_process = Attempts(Settings(), "silver/t")
    for batch_id in (7, 7, 8, 9):
        with of_process.attempt(SPARK, batch_id) as earlier:
            assert earlier == 0


def followed_from(cause: Exception) -> Exception:
    """What the end of a ``try`` block raises after ``cause``."""
    try:
        try:
            raise cause
        finally:
            raise ConnectionRefusedError("[Errno 111] Connection refused")
    except ConnectionRefusedError as error:
        return error


@pytest.mark.parametrize(
    ("error", "is_stuck", "counted"),
    [
        (OSError("no space left on device"), False, 0),
        (RuntimeError("org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)"), False, 1),
        (RuntimeError("java.lang.OutOfMemoryError: Java heap space"), False, 1),
        (MemoryError(), False, 1),
        (Py4JNetworkError("Answer from Java side is empty"), False, 1),
        (followed_from(Py4JNetworkError("Answer from Java side is empty")), False, 1),
        (followed_from(OSError("no space left on device")), False, 0),
        (RuntimeError("Job 3 cancelled"), True, 1),
    ],
    ids=[
        "ordinary",
        "a worker died",
        "no memory",
        "no memory in Python",
        "the JVM died",
        "the JVM had died",
        "ordinary twice",
        "cut off while it hung",
    ],
)
def test_an_exception_counts_when_it_says_that_something_died_or_was_cut_off_while_it_hung(
    files: dict[str, str], error: Exception, is_stuck: bool, counted: int
) -> None:
    of_process = Attempts(Settings(), "silver/t", lambda: is_stuck)
    with suppress(type(error)), of_process.attempt(SPARK, 7):
        raise error
    assert killed(7) == counted


def test_a_note_that_was_cut_off_is_an_attempt(files: dict[str, str]) -> None:
    killed(7)
    (file,) = files
    files[file] = files[file][:-3]
    assert killed(7) == 1
