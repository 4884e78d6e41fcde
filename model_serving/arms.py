"""Who is answered by which model: the arm of an entity follows from its id, so that it stays the same."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from model_serving.challenger import Challenger, ChallengerHolder, is_same
from model_serving.champion import ChampionHolder
from model_serving.loaded import LoadedModel
from model_serving.traffic import TrafficFollower
from monitoring.control import ModelRef, Policy, Rollout

POINTS = 2**64


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

    def __init__(self, traffic: TrafficFollower, champion: ChampionHolder, challenger: ChallengerHolder) -> None:
        self.champion = champion
        self.challenger = challenger
        self._traffic = traffic

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
        """The challenger that the traffic names, unless it is the champion already."""
        rollout = self.rollout
        ref = None if rollout is None else rollout.traffic.challenger
        return None if ref is None or is_same(self.champion.champion, ref) else ref

    def turn(self) -> Turn:
        """How requests are shared now."""
        rollout = self.rollout
        if rollout is None:
            return NO_ROLLOUT
        ref = self.named
        if ref is None:
            return Turn(rollout.epoch)
        challenger = self.challenger.is_named(ref)
        if rollout.traffic.policy is Policy.SHADOW:
            return Turn(rollout.epoch, shadow=challenger)
        has_failed = self.challenger.has_failed(ref)
        able = None if has_failed else challenger
        salt = salt_of(self.champion.use_case, ref.run_id, ref.model_id)
        # Until it is loaded nobody is its to answer: that is no failure of its own.
        share = rollout.traffic.share if able is not None or has_failed else 0
        return Turn(rollout.epoch, share, salt, able, has_failed)
