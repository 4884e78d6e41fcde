"""How long the reasons of one answer are waited for, whoever of the two models gives them."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from model_serving.arms import Arms, Turn
from model_serving.batching import Batcher
from model_serving.desk import Desk
from model_serving.reasons import ReasonDesk, Reasoned
from model_serving.schemas import Arm
from model_serving.server import Server
from tests.unit.model_serving.answers import ASKED, answer, champion
from tidemill.config import load_settings

LIMIT_S = 0.15
SLOW_S = 0.1


class PlayedDesk(ReasonDesk):
    """Takes its time, and then has reasons or none."""

    def __init__(self, *, has_reasons: bool, takes_s: float = SLOW_S) -> None:
        super().__init__(LIMIT_S)
        self.has_reasons = has_reasons
        self.takes_s = takes_s

    async def reasons(self, *_: object) -> Reasoned:
        await asyncio.sleep(self.takes_s)
        if not self.has_reasons:
            raise TimeoutError
        return Reasoned(answer(1).scored[0], None)


def desk(of_champion: ReasonDesk, of_challenger: ReasonDesk) -> Desk:
    """Everybody is the challenger's to answer."""
    challenger: Any = SimpleNamespace(loaded=champion(None))
    arms = SimpleNamespace(
        turn=lambda: Turn(1, 100, b"salt", challenger), champion=SimpleNamespace(standing_reasons=lambda _: ())
    )
    reasons = {Arm.CHAMPION: of_champion, Arm.CHALLENGER: of_challenger}
    return Desk(ASKED, cast(Arms, arms), cast(Batcher, None), reasons, 1.0)


def test_a_challenger_whose_reasons_do_not_come_leaves_them_to_the_champion() -> None:
    both = desk(PlayedDesk(has_reasons=True, takes_s=0.0), PlayedDesk(has_reasons=False, takes_s=0.0))

    assert asyncio.run(both.explain(champion(None), {"customer_id": "1"})).arm is Arm.CHAMPION


def test_the_reasons_of_both_are_waited_for_within_one_limit() -> None:
    """Each comes within the limit, and one after the other they do not."""
    both = desk(PlayedDesk(has_reasons=True), PlayedDesk(has_reasons=False))

    with pytest.raises(TimeoutError):
        asyncio.run(both.explain(champion(None), {"customer_id": "1"}))


def test_a_challenger_leaves_the_champion_half_of_the_limit(tmp_path: Path) -> None:
    server = Server(load_settings({"TIDEMILL_HOME": str(tmp_path), "TIDEMILL_SERVING__EXPLAIN_TIMEOUT_S": "2"}))

    assert (server.challengers_reasons.timeout_s, server.reasons.timeout_s) == (1.0, 2.0)
