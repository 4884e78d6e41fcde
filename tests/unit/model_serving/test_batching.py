import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from model_serving.asked import Instance
from model_serving.batching import Batcher
from model_serving.features import FeaturesUnavailableError
from model_serving.loaded import LoadedModel
from model_serving.schemas import DegradedReason
from tests.unit.model_serving import answers
from tests.unit.model_serving.answers import AS_OF, Tenth, feature_row, served_model

UNKNOWN = {
    "?": Status.NO_STATE,
    "!": Status.UNREADABLE,
    "~": Status.OTHER_FINGERPRINT,
    "%": Status.REBUILDING,
    "<": Status.LOST,
    "@": Status.PAST,
}


class Rows:
    """Features by hand: the first feature of customer ``"3"`` is 3.0; ``"?"`` is unknown. Notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.is_away = False

    def fetch(self, instances: Sequence[Instance]) -> list[FeatureRow]:
        ids = [str(instance["customer_id"]) for instance in instances]
        self.asked.append(ids)
        self.entered.set()
        assert self.gate.wait(10)
        if self.is_away:
            raise FeaturesUnavailableError("away")
        return [
            feature_row(None, None, status=UNKNOWN[each]) if each in UNKNOWN else feature_row(float(each), None)
            for each in ids
        ]


class FailsAtNine(Tenth):
    def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if 9.0 in matrix[:, 0]:
            raise ArithmeticError("nine")
        return super().predict_proba(matrix)


def champion(rows: Rows, version: str = "7", classifier: object | None = None) -> LoadedModel:
    return answers.champion(rows, served_model(version, classifier))


def of(ids: Sequence[str]) -> list[Instance]:
    return [{"customer_id": one} for one in ids]


async def while_busy(batcher: Batcher, rows: Rows, *requests: tuple[LoadedModel, list[str]]) -> list[object]:
    """The answers of requests that came while another one was being scored."""
    rows.gate.clear()
    busy = asyncio.create_task(batcher.score(champion(rows), of(["0"]), ()))
    assert await asyncio.to_thread(rows.entered.wait, 10)
    tasks = [asyncio.create_task(batcher.score(wanted, of(ids), ())) for wanted, ids in requests]
    await asyncio.sleep(0)
    rows.gate.set()
    await busy
    return await asyncio.gather(*tasks, return_exceptions=True)


def run_while_busy(rows: Rows, *requests: tuple[LoadedModel, list[str]]) -> list[object]:
    batcher = Batcher(threads=1, max_rows=100)
    batcher.start()
    try:
        return asyncio.run(while_busy(batcher, rows, *requests))
    finally:
        batcher.stop()


def scores(result: object) -> list[float]:
    assert isinstance(result, tuple), result
    return [scored.fields["score"] for scored in result]


def test_requests_that_wait_are_read_once_and_each_gets_its_own_answers_in_order() -> None:
    rows = Rows()
    model = champion(rows)

    first, second, third = run_while_busy(rows, (model, ["3", "1"]), (model, ["?"]), (model, ["1", "?", "8"]))

    assert rows.asked == [["0"], ["3", "1", "?", "1", "?", "8"]]
    assert (scores(first), scores(second), scores(third)) == ([0.3, 0.1], [0.25], [0.1, 0.25, 0.8])


def test_requests_of_different_champions_are_answered_by_their_own() -> None:
    class Constant(Tenth):
        def predict_proba(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.full((len(matrix), 2), 0.75)

    rows = Rows()
    old, new = champion(rows), champion(rows, "8", Constant())

    results = run_while_busy(rows, (old, ["3"]), (new, ["3"]), (old, ["1"]))

    assert [scores(result) for result in results] == [[0.3], [0.75], [0.1]]


def test_a_request_that_cannot_be_scored_fails_alone() -> None:
    rows = Rows()
    model = champion(rows, classifier=FailsAtNine())

    first, second, third = run_while_busy(rows, (model, ["3"]), (model, ["9"]), (model, ["1"]))

    assert isinstance(second, ArithmeticError)
    assert (scores(first), scores(third)) == ([0.3], [0.1])


def test_without_features_every_customer_gets_the_cold_start_score_and_the_reason() -> None:
    rows = Rows()
    rows.is_away = True

    (result,) = run_while_busy(rows, (champion(rows), ["3", "1"]))

    assert scores(result) == [0.25, 0.25]
    assert isinstance(result, tuple)
    assert [scored.degraded for scored in result] == [(DegradedReason.FEATURE_STORE_UNAVAILABLE,)] * 2


def test_what_a_state_says_of_itself_is_the_reason_of_the_answer() -> None:
    rows = Rows()

    (result,) = run_while_busy(rows, (champion(rows), ["?", "3", "!", "~", "%", "<", "@"]))

    assert isinstance(result, tuple)
    assert [scored.degraded for scored in result] == [
        (DegradedReason.COLD_START,),
        (),
        (DegradedReason.UNREADABLE_STATE,),
        (DegradedReason.UNREADABLE_STATE,),
        (DegradedReason.STATES_REBUILDING,),
        (DegradedReason.STATE_LOST,),
        (DegradedReason.CLOCK_BEHIND,),
    ]
    assert [scored.features_as_of for scored in result][:2] == [None, AS_OF]
    assert [scored.fields["decision"] for scored in result] == [None, "stays", *[None] * 5]


@pytest.mark.parametrize("threads", [1, 3])
def test_stopping_answers_what_waits(threads: int) -> None:
    async def ask_and_stop() -> list[object]:
        batcher = Batcher(threads, max_rows=2)
        tasks = [asyncio.create_task(batcher.score(model, of([str(n % 10)]), ())) for n in range(50)]
        await asyncio.sleep(0)
        batcher.start()
        await asyncio.to_thread(batcher.stop)
        return await asyncio.gather(*tasks)

    model = champion(Rows())

    results = asyncio.run(ask_and_stop())

    assert [scores(result) for result in results] == [[n % 10 / 10] for n in range(50)]
