"""A bound on the memory of requests that are not answered yet."""

from ingestion_layer.http.refusal import CLOSE, RefusedError

OVERHEAD_BYTES = 1_024
"""What a request costs beside its body."""
RETRY_AFTER_S = 1


class Room:
    """``capacity`` bytes for the bodies of all requests at once, from their first byte to the broker's last answer."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0

    def reservation(self) -> "Reservation":
        return Reservation(self)


class Reservation:
    """The part of one request."""

    __slots__ = ("_held", "_room")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._held = 0

    def grow(self, size: int) -> None:
        """Take ``size`` bytes more.

        Raises:
            RefusedError: 429, they are not there.
        """
        needed = size if self._held else size + OVERHEAD_BYTES
        if self._room.used + needed > self._room.capacity:
            detail = (
                f"{self._room.used:,} bytes of earlier requests wait for the broker, and {self._room.capacity:,} is "
                "the most: send it again in a moment"
            )
            raise RefusedError(429, detail, retry_after_s=RETRY_AFTER_S, headers=CLOSE)
        self._room.used += needed
        self._held += needed

    def release(self) -> None:
        """Give back what is held; a second time there is nothing."""
        self._room.used -= self._held
        self._held = 0
