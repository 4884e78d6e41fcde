"""Where the requests of one use case are answered: each entity by its arm, and by the champion when that fails."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ml_modeling.registry import ServedModel
from model_serving import metrics
from model_serving.arms import Arms, Turn
from model_serving.asked import Asked, Instance
from model_serving.batching import Batcher
from model_serving.challenger import Challenger
from model_serving.loaded import LoadedModel
from model_serving.reasons import ReasonDesk, Reasoned
from model_serving.schemas import Arm
from model_serving.scoring import Answer, By, Scored

logger = logging.getLogger(__name__)
Part = tuple[tuple[Scored, ...], By]


@dataclass(frozen=True, slots=True)
class Explained:
    """Reasons, and of which model they are."""

    asked: Asked
    arm: Arm
    model: ServedModel
    reasoned: Reasoned


class Desk:
    """Answers with the champion and, as the traffic has it, with the challenger, which may fail without harm."""

    def __init__(
        self,
        asked: Asked,
        arms: Arms,
        batcher: Batcher,
        reasons: Mapping[Arm, ReasonDesk],
        challenger_timeout_s: float,
    ) -> None:
        self.asked = asked
        self.arms = arms
        self._batcher = batcher
        self._reasons = reasons
        self._timeout_s = challenger_timeout_s

    async def answer(
        self, champion: LoadedModel, instances: Sequence[Instance], request_id: str, arrived_at: float
    ) -> tuple[Answer, Turn]:
        """The answer of a request that arrived at ``arrived_at``, by the performance counter, and how it was shared."""
        turn = self.arms.turn()
        key = self.asked.keys[0]
        theirs = [turn.is_challengers(str(instance[key])) for instance in instances] if turn.share else []
        if not any(theirs):
            scored, by = await self._by_champion(champion, instances, arrived_at)
            return self._answer(request_id, turn, scored, (by,) * len(scored)), turn
        parts = await asyncio.gather(
            self._by_champion(champion, _those(instances, theirs, is_theirs=False), arrived_at),
            self._by_challenger(turn, champion, _those(instances, theirs, is_theirs=True), arrived_at),
        )
        return self._answer(request_id, turn, *_in_order(theirs, *parts)), turn

    async def explain(self, champion: LoadedModel, instance: Instance) -> Explained:
        """The answer and the reasons of the model whose the entity is, of the champion where that one has none.

        Raises:
            TimeoutError: they did not come in the champion's time, which is that of both.
            UnexplainableModelError: the champion has no reasons.
        """
        async with asyncio.timeout(self._reasons[Arm.CHAMPION].timeout_s):
            return await self._explained(champion, instance)

    async def _explained(self, champion: LoadedModel, instance: Instance) -> Explained:
        challenger = self._asked_about(instance)
        if challenger is not None:
            try:
                reasoned = await self._reasons[Arm.CHALLENGER].reasons(challenger.loaded, instance, ())
            except Exception as error:  # noqa: BLE001 - whatever it is, the champion answers
                logger.warning("no reasons from the challenger: %s", error or type(error).__name__)
                self._count_failed("reasons", 1)
            else:
                return Explained(self.asked, Arm.CHALLENGER, challenger.loaded.model, reasoned)
        standing = self.arms.champion.standing_reasons(champion)
        reasoned = await self._reasons[Arm.CHAMPION].reasons(champion, instance, standing)
        return Explained(self.asked, Arm.CHAMPION, champion.model, reasoned)

    def _asked_about(self, instance: Instance) -> Challenger | None:
        turn = self.arms.turn()
        return turn.challenger if turn.is_challengers(str(instance[self.asked.keys[0]])) else None

    def _answer(self, request_id: str, turn: Turn, scored: tuple[Scored, ...], by: tuple[By, ...]) -> Answer:
        return Answer(request_id, self.asked, datetime.now(UTC), turn.epoch, scored, by)

    async def _by_champion(
        self, champion: LoadedModel, instances: Sequence[Instance], arrived_at: float, *, instead: bool = False
    ) -> Part:
        standing = self.arms.champion.standing_reasons(champion)
        scored = await self._batcher.score(champion, instances, standing) if instances else ()
        return scored, By(Arm.CHAMPION, champion, _ms_since(arrived_at), instead)

    async def _by_challenger(
        self, turn: Turn, champion: LoadedModel, instances: Sequence[Instance], arrived_at: float
    ) -> Part:
        if turn.challenger is not None:
            scored = await self._asked_challenger(turn.challenger, instances)
            if scored is not None:
                return scored, By(Arm.CHALLENGER, turn.challenger.loaded, _ms_since(arrived_at))
        else:
            self._count_failed("unusable", len(instances))
        return await self._by_champion(champion, instances, arrived_at, instead=True)

    async def _asked_challenger(
        self, challenger: Challenger, instances: Sequence[Instance]
    ) -> tuple[Scored, ...] | None:
        """What it answers; None when it does not, whatever the reason is."""
        try:
            async with asyncio.timeout(self._timeout_s):
                scored = await challenger.batcher.score(challenger.loaded, instances, ())
        except TimeoutError:
            challenger.timeouts.failed(f"version {challenger.ref.version} gave no answer within {self._timeout_s} s")
            self._count_failed("timeout", len(instances))
            return None
        except Exception:
            logger.exception("the challenger failed", extra={"use_case": self.asked.use_case})
            self._count_failed("error", len(instances))
            return None
        challenger.timeouts.succeeded()
        return scored

    def _count_failed(self, why: str, count: int) -> None:
        metrics.challenger_failed.labels(self.asked.use_case, why).inc(count)


def _ms_since(arrived_at: float) -> float:
    return round((time.perf_counter() - arrived_at) * 1000, 3)


def _those(instances: Sequence[Instance], theirs: Sequence[bool], *, is_theirs: bool) -> list[Instance]:
    return [instance for instance, drawn in zip(instances, theirs, strict=True) if drawn == is_theirs]


def _in_order(theirs: Sequence[bool], champions: Part, challengers: Part) -> tuple[tuple[Scored, ...], tuple[By, ...]]:
    """Both parts in the order of the request."""
    of_champion, of_challenger = iter(champions[0]), iter(challengers[0])
    scored = tuple(next(of_challenger) if drawn else next(of_champion) for drawn in theirs)
    return scored, tuple(challengers[1] if drawn else champions[1] for drawn in theirs)
