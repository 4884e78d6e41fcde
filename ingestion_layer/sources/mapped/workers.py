"""Judging in processes beside this one, in order: Python judges in one thread, whatever cores there are."""

import gc
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection

from ingestion_layer.sources.mapped.chunk import Chunk
from ingestion_layer.sources.mapped.events import Judge, Judged
from ingestion_layer.sources.mapped.mapping import SourceMapping
from tidemill.config.errors import TransientError

END_S = 10.0


class WorkerEndedError(TransientError):
    """A process that judges is gone."""


def judged_by(
    processes: int, mapping: SourceMapping, identity: str, chunks: Iterator[Chunk]
) -> Iterator[tuple[Chunk, Judged]]:
    """Each of ``chunks`` with its judgement, in their order.

    Raises:
        WorkerEndedError: a process was killed.
    """
    with ExitStack() as stack:
        idle = [stack.enter_context(_worker(mapping, identity)) for _ in range(processes)]
        busy: deque[tuple[Connection, Chunk]] = deque()
        for chunk in chunks:
            if idle:
                _hand(idle[-1], chunk)
                busy.append((idle.pop(), chunk))
                continue
            # One chunk at a time is with a worker: with a second on the way both ends could wait for a full pipe.
            worker, before = busy.popleft()
            judged = _taken(worker)
            _hand(worker, chunk)
            busy.append((worker, chunk))
            yield before, judged
        for worker, last in busy:
            yield last, _taken(worker)


@contextmanager
def _worker(mapping: SourceMapping, identity: str) -> Iterator[Connection]:
    """The near end of a process, which ends when that is closed, also because this process was killed."""
    context = get_context("spawn")  # a forked one would have librdkafka's threads in the middle of what they did
    near, far = context.Pipe()
    process = context.Process(target=_work, args=(far, mapping, identity), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        near.close()
        process.join(END_S)


def _work(connection: Connection, mapping: SourceMapping, identity: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the whole group gets them; the parent says when it is over
        signal.signal(number, signal.SIG_IGN)
    judge = Judge(mapping, identity)
    gc.freeze()  # what stays need not be gone through at each collection
    try:
        while True:
            connection.send(judge.judge(connection.recv()))
    except (EOFError, ConnectionError):
        return


def _hand(worker: Connection, chunk: Chunk) -> None:
    try:
        worker.send(chunk)
    except ConnectionError as error:
        raise _gone() from error


def _taken(worker: Connection) -> Judged:
    try:
        judged: Judged = worker.recv()
    except (EOFError, ConnectionError) as error:
        raise _gone() from error
    return judged


def _gone() -> WorkerEndedError:
    return WorkerEndedError(
        "a process that judges rows was killed (is memory short?): run the command again, it goes on"
    )
