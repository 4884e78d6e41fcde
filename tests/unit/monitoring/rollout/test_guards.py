from dataclasses import replace

import pytest

from ml_modeling.specification import Guards
from monitoring.rollout.contest import Contest
from monitoring.rollout.figures import ChallengerFigures, Figures, Spread
from monitoring.rollout.guards import breaches, slow_limit

EXPECTED = [100.0] * 10
AS_EXPECTED, APART = [20] * 10, [0, 0, 0, 0, 0, 40, 40, 40, 40, 40]


def said(figures: Figures, **guards: object) -> list[str]:
    return [breach.guard for breach in breaches(Guards.model_validate(guards), figures)]


def of(**challenger: object) -> Figures:
    return Figures(challenger=replace(ChallengerFigures(), **challenger))  # type: ignore[arg-type]


def test_nothing_is_said_of_nothing() -> None:
    assert breaches(Guards(), Figures()) == ()


@pytest.mark.parametrize(
    ("failed", "answers", "trips"),
    [(1, 2, False), (3, 20, False), (30, 170, True), (10, 190, False)],
    ids=["one of three", "three of 23", "15 %", "just the limit"],
)
def test_errors_trip_when_they_are_surely_over_the_limit(failed: int, answers: int, trips: bool) -> None:
    assert said(of(failed=failed, answers=answers)) == (["error_rate"] if trips else [])


def test_a_breach_tells_the_figures_and_a_sentence() -> None:
    (breach,) = breaches(Guards(), of(failed=60, answers=140))
    assert breach.sentence.startswith("the challenger failed at 60 of its 200 requests (30.0%, at least ")
    assert breach.sentence.endswith("5.0% are allowed")
    assert (breach.figures["failed"], breach.figures["asked"], breach.figures["limit"]) == (60, 200, 0.05)
    assert 0.05 < breach.figures["at_least"] < 0.3


@pytest.mark.parametrize(("champion", "limit"), [(None, 100.0), (20.0, 100.0), (80.0, 100.0), (200.0, 250.0)], ids=str)
def test_slow_is_over_the_budget_and_over_the_champion(champion: float | None, limit: float) -> None:
    assert slow_limit(Guards(p95_ms=100.0), champion) == limit
    assert slow_limit(Guards(p95_ms=None), champion) is None


@pytest.mark.parametrize(("slow", "trips"), [(1, False), (10, False), (40, True)])
def test_latency_trips_when_more_than_one_in_twenty_is_surely_slow(slow: int, trips: bool) -> None:
    figures = of(answers=200, timed=200, slow=slow, slow_ms=100.0, p95_ms=130.0)
    assert said(figures) == (["latency"] if trips else [])


@pytest.mark.parametrize(
    ("counted", "champions", "trips"),
    [
        (AS_EXPECTED, Spread(), False),
        (APART, Spread(), True),
        (APART, Spread(EXPECTED, AS_EXPECTED), True),
        (APART, Spread(EXPECTED, APART), False),
        ([count // 10 for count in APART], Spread(), False),
    ],
    ids=["alike", "no champion beside it", "the champion's are alike", "what is asked moved", "too few"],
)
def test_scores_trip_when_they_are_apart_from_the_replay_and_the_champions_are_not(
    counted: list[int], champions: Spread, trips: bool
) -> None:
    figures = Figures(scores=Spread(EXPECTED, counted), champion_scores=champions)
    assert said(figures) == (["score_distribution"] if trips else [])


@pytest.mark.parametrize(("independent", "trips"), [(12.0, False), (99.0, False), (150.0, True)])
def test_many_scores_of_few_entities_are_few_scores(independent: float, trips: bool) -> None:
    figures = Figures(scores=Spread(EXPECTED, APART, independent))
    assert said(figures) == (["score_distribution"] if trips else [])


def test_the_live_metric_trips_on_its_evidence() -> None:
    worse = Contest(500, 60, 55, 0.2, worse=5.0)
    assert said(Figures(contest=worse)) == ["live_metric"]
    assert said(Figures(contest=replace(worse, worse=4.5))) == []


@pytest.mark.parametrize(
    ("guard", "off"),
    [("error_rate", None), ("p95_ms", None), ("score_shift", None), ("live_metric", False)],
)
def test_each_guard_can_be_off(guard: str, off: object) -> None:
    names = {"error_rate": "error_rate", "p95_ms": "latency", "score_shift": "score_distribution"}
    figures = Figures(
        challenger=ChallengerFigures(answers=100, failed=100, timed=100, slow=100, slow_ms=100.0, p95_ms=900.0),
        scores=Spread(EXPECTED, APART),
        contest=Contest(500, 60, 55, 0.2, worse=50.0),
    )
    everything = {"error_rate", "latency", "score_distribution", "live_metric"}
    assert set(said(figures)) == everything
    assert set(said(figures, **{guard: off})) == everything - {names.get(guard, guard)}
