"""Who is answered by which model: the arm of an entity follows from its id, so that it stays the same."""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache

from model_serving.challenger import Challenger, ChallengerHolder, is_same
from model_serving.champion import ChampionHolder
from model_serving.loaded import LoadedModel
from model_serving.traffic import Followed, TrafficFollower
from monitoring.control import ModelRef, Policy, Rollout

POINTS = 2**64
HANDOVER_S = 60.0
"""So long, beyond the time between two looks at the registry, a promoted challenger waits to be found there."""


@lru_cache(maxsize=64)
def salt_of(use_case: str, run_id: str, model_id: str) -> bytes:
    """What the draw of a challenger is made with: each draws anew, so that the same people are not always the first."""
    return hashlib.blake2b(f"{use_case}\0{run_id}\0{model_id}".encode(), digest_size=32).digest()


def is_drawn(salt: bytes, entity_id: str, share: int) -> bool:
    """Whether an entity is among the ``share`` per cent; who is in stays in when the share grows."""
    drawn = hashlib.blake2b(entity_id.encode(), digest_size=8, key=salt).digest()
    return int.from_bytes(drawn, "big") * 100 < share * POINTS


@dataclass(frozen=True, slots=True)
class Turn:
    """How requests are shared at a moment.

    ``challenger`` is the one that can be asked; ``has_failed`` says that the one of the traffic cannot be, and why is
    told by readyz. ``shadow`` scores what the champion has answered.
    """

    epoch: int | None = None
    share: int = 0
    salt: bytes = b""
    challenger: Challenger | None = None
    has_failed: bool = False
    shadow: Challenger | None = None

    def is_challengers(self, entity_id: str) -> bool:
        """Whether this entity is the challenger's to answer."""
        return self.share > 0 and is_drawn(self.salt, entity_id, self.share)


NO_ROLLOUT = Turn()


class Arms:
    """The champion and the challenger of one use case, and which of them answers now."""

    def __init__(
        self, traffic: TrafficFollower, champion: ChampionHolder, challenger: ChallengerHolder, handover_s: float
    ) -> None:
        self.champion = champion
        self.challenger = challenger
        self._traffic = traffic
        self._handover_s = handover_s

    @property
    def rollout(self) -> Rollout | None:
        """The traffic that was read last."""
        return self._traffic.of(self.champion.use_case)

    @property
    def loaded(self) -> list[LoadedModel]:
        """The models that may be asked."""
        champion, challenger = self.champion.champion, self.challenger.current
        return [*([champion] if champion else []), *([challenger.loaded] if challenger else [])]

    @property
    def named(self) -> ModelRef | None:
        """The challenger that the traffic names, or has just promoted, unless it is the champion already."""
        followed = self._traffic.followed(self.champion.use_case)
        return None if followed is None else self._named(followed)

    def _named(self, followed: Followed) -> ModelRef | None:
        ref = followed.rollout.traffic.challenger or self._promoted(followed)
        return None if ref is None or is_same(self.champion.champion, ref) else ref

    def _promoted(self, followed: Followed) -> ModelRef | None:
        """The challenger of before, when the traffic has it as champion and the registry was not asked since.

        The alias had moved before that traffic was written, so the next look at the registry decides: it finds the
        promotion, or that somebody took it back. Until then nobody who was answered by the new model gets the old one.
        """
        ref = followed.rollout.traffic.champion
        if ref is None or self.challenger.is_named(ref) is None or self.challenger.has_failed(ref):
            return None
        is_decided = self.champion.registry_as_of > followed.since
        is_late = time.monotonic() - followed.since >= self._handover_s
        return None if is_decided or is_late else ref

    def turn(self) -> Turn:
        """How requests are shared now."""
        followed = self._traffic.followed(self.champion.use_case)
        if followed is None:
            return NO_ROLLOUT
        rollout, ref = followed.rollout, self._named(followed)
        if ref is None:
            return Turn(rollout.epoch)
        if rollout.traffic.challenger is None:
            return Turn(rollout.epoch, 100, self._salt(ref), self.challenger.is_named(ref))
        challenger = self.challenger.is_named(ref)
        if rollout.traffic.policy is Policy.SHADOW:
            return Turn(rollout.epoch, shadow=challenger)
        has_failed = self.challenger.has_failed(ref)
        able = None if has_failed else challenger
        # Until it is loaded nobody is its to answer: that is no failure of its own.
        share = rollout.traffic.share if able is not None or has_failed else 0
        return Turn(rollout.epoch, share, self._salt(ref), able, has_failed)

    def _salt(self, ref: ModelRef) -> bytes:
        return salt_of(self.champion.use_case, ref.run_id, ref.model_id)
