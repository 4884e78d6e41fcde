"""A read is over when its time is, whatever a store does; Redis is played, since it is never slow when it is asked."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import hiredis
import pytest

from feature_store.online.connection import OnlineStoreUnavailableError
from feature_store.online.reader import OnlineReader
from feature_store.states import Applied
from tidemill.config import Settings, load_settings

NOTE = Applied("table", 1, 1, 1, 1).dump().encode()
CUSTOMER = {"customer_id": "c", "terminal_id": "t", "amount": 1.0}
Command = Sequence[bytes]


def answer(command: Command) -> bytes:
    """Of a store whose states have come to a commit, and that knows nobody."""
    match command[0]:
        case b"MGET":
            return b"*%d\r\n" % (len(command) - 1) + b"$%d\r\n%b\r\n" % (len(NOTE), NOTE) * (len(command) - 1)
        case b"HMGET":
            return b"*%d\r\n" % (len(command) - 2) + b"$-1\r\n" * (len(command) - 2)
        case b"HEXISTS":
            return b":0\r\n"
    return b"+OK\r\n"


@dataclass
class PlayedStore:
    """Waits ``pause_s`` before each of the ``pieces`` of an answer; ``asked`` has the names of each exchange."""

    pause_s: float = 0.0
    pieces: int = 1
    asked: list[set[bytes]] = field(default_factory=list)
    listening: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        reader = hiredis.Reader()
        try:
            while received := client.recv(1 << 20):
                reader.feed(received)
                commands = list(iter(reader.gets, False))
                self.asked.append({command[0] for command in commands})
                answers = b"".join(answer(command) for command in commands)
                size = -(-len(answers) // self.pieces)
                for begin in range(0, len(answers), size):
                    time.sleep(self.pause_s)
                    client.sendall(answers[begin : begin + size])
        except OSError:
            return


@pytest.fixture
def store() -> Iterator[PlayedStore]:
    played = PlayedStore()
    threading.Thread(target=played.serve, daemon=True).start()
    yield played
    played.listening.close()


@pytest.fixture
def settings(store: PlayedStore) -> Settings:
    port = str(store.listening.getsockname()[1])
    return load_settings({"TIDEMILL_REDIS__HOST": "127.0.0.1", "TIDEMILL_REDIS__PORT": port, "TIDEMILL_PROJECT": ""})


@pytest.mark.parametrize(
    ("pause_s", "pieces"), [(0.4, 1), (0.1, 15)], ids=["each exchange takes a while", "an answer trickles"]
)
def test_a_store_that_is_slow_again_and_again_is_unavailable(
    store: PlayedStore, settings: Settings, pause_s: float, pieces: int
) -> None:
    reader = OnlineReader(settings, "fraud", timeout_s=1.0)
    store.pause_s, store.pieces = pause_s, pieces
    with pytest.raises(OnlineStoreUnavailableError):
        reader.read([CUSTOMER])


def test_who_is_unknown_to_all_groups_is_asked_about_in_one_exchange(store: PlayedStore, settings: Settings) -> None:
    reader = OnlineReader(settings, "fraud", timeout_s=20.0)
    reader.read([CUSTOMER])
    store.asked.clear()
    (row,) = reader.read([CUSTOMER])
    assert row.is_unknown
    assert len(row.status) > 1
    assert store.asked == [{b"MGET", b"HMGET"}, {b"HEXISTS"}]
