"""A process of its own at a control store: it says ``ready``, and begins when it is told to.

``claim URL NAME``: four threads claim until nothing is left; prints what each got.
``ask URL COUNT``: so many threads ask for the same at once.
``hang URL``: claims, says ``in transaction`` instead of committing, and waits for its end.
"""

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import Connection, Engine, event

from monitoring.control import ControlStore
from tests.cases.control_stores import NO_LIMITS, ask

THREADS = 4


def claim(url: str, name: str) -> None:
    with ControlStore(url) as store, ThreadPoolExecutor(THREADS) as pool:
        _begin()
        for claimed in pool.map(lambda thread: _claim_all(store, f"{name}-{thread}"), range(THREADS)):
            _say(*claimed)


def _claim_all(store: ControlStore, holder: str) -> list[str]:
    claimed = []
    while (request := store.requests.claim(holder, timedelta(minutes=5))) is not None:
        claimed.append(f"{request.id} {holder}")
    return claimed


def ask_often(url: str, count: str) -> None:
    with ControlStore(url) as store, ThreadPoolExecutor(int(count)) as pool:
        _begin()
        for asked in pool.map(lambda _: store.requests.ask(ask(), NO_LIMITS), range(int(count))):
            _say(str(asked.number))


def hang(url: str) -> None:
    with ControlStore(url) as store:
        store.prepare()

        @event.listens_for(Engine, "commit")
        def _hang(_connection: Connection) -> None:
            _say("in transaction")
            time.sleep(600)

        _begin()
        store.requests.claim("hanging", timedelta(minutes=5))


def _begin() -> None:
    _say("ready")
    sys.stdin.readline()


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


COMMANDS: Mapping[str, Callable[..., None]] = {"claim": claim, "ask": ask_often, "hang": hang}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
