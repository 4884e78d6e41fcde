"""The server's own end."""

import asyncio
import threading
from pathlib import Path

import pytest

from model_serving import server
from model_serving.server import Server
from tests.unit.model_serving.answers import champion
from tidemill.config import load_settings


class Hangs:
    """Features that never come."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()

    def fetch(self, _: object) -> None:
        self.entered.set()
        self.gate.wait(60)


def test_a_store_that_hangs_keeps_the_log_from_being_closed_only_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SCORE_STOP_S", 0.1)
    made = Server(load_settings({"TIDEMILL_HOME": str(tmp_path)}))
    made._periodic = []
    closed: list[float] = []
    monkeypatch.setattr(made.log, "close", closed.append)
    rows = Hangs()

    async def ask_and_leave() -> None:
        asking = asyncio.create_task(made.batcher.score(champion(rows), [{"customer_id": "1"}], ()))
        assert await asyncio.to_thread(rows.entered.wait, 10)
        asking.cancel()

    made.batcher.start()
    made.shadow.start()
    asyncio.run(ask_and_leave())
    stopping = threading.Thread(target=made.stop, daemon=True)
    stopping.start()
    stopping.join(10)
    has_ended = not stopping.is_alive()
    rows.gate.set()

    assert (has_ended, closed) == (True, [server.STOP_S])
