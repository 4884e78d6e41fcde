"""How far the states of a group have come, as Redis has it."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from feature_store.states.known import BUCKETS


@dataclass(frozen=True)
class Applied:
    """Every commit of ``table_id`` up to ``version`` is in the states of a group, which were made in ``epoch``.

    Nothing that the lake learnt (``known_time``) up to ``known_until`` is missing; ``at`` is when that was noted. Both
    are microseconds since 1970; ``known_until`` is 0 before the first event. The states of the buckets ``rebuilding``
    are being made anew from the lake; when ``is_anew``, those of the epoch are right already.
    """

    table_id: str
    epoch: int
    version: int
    known_until: int
    at: int
    rebuilding: tuple[int, ...] = ()
    is_anew: bool = False

    @property
    def position(self) -> tuple[int, int]:
        """Never goes back, but with the store that says so."""
        return self.epoch, self.version

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: bytes) -> Self | None:
        """None for what is no such note, or one of a format of before: the states are made anew then."""
        try:
            noted = json.loads(text)
            return cls(**noted | {"rebuilding": tuple(noted["rebuilding"])})
        except (ValueError, TypeError, KeyError):
            return None


ALL_BUCKETS = tuple(range(BUCKETS))
