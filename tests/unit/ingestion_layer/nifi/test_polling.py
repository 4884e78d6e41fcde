"""When NiFi asks a page again; the clock is the test's."""

import pytest

from ingestion_layer.nifi import polling
from ingestion_layer.nifi.polling import SUCCESS, UNAVAILABLE, UNCHANGED, WAITING, Pages
from ingestion_layer.nifi.publishing import Outcome
from ingestion_layer.sources.mapped.answers import PageUnavailableError
from tidemill.config import Settings, load_settings

PRICES, WEATHER = "http://127.0.0.1:1/prices", "http://127.0.0.1:1/weather"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def settings() -> Settings:
    return load_settings({"TIDEMILL_NIFI__POLL_S": "60"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Outcome | Exception]:
    """What the looks come to, one after the other."""
    script: list[Outcome | Exception] = []

    def looked(_settings: Settings, _mapping: str, _url: str) -> Outcome:
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(polling, "_looked", looked)
    return script


def test_a_page_is_asked_once_in_every_period(
    settings: Settings, clock: Clock, answers: list[Outcome | Exception]
) -> None:
    pages = Pages(settings, clock)
    answers += [Outcome(SUCCESS), Outcome(UNCHANGED)]
    said = []
    for clock.now in (0.0, 1.0, 59.9, 60.0, 60.1):
        said.append(pages.look("prices", PRICES).relationship)
    assert said == [SUCCESS, WAITING, WAITING, UNCHANGED, WAITING]


def test_a_server_that_names_a_time_is_left_in_peace_until_then(
    settings: Settings, clock: Clock, answers: list[Outcome | Exception]
) -> None:
    pages = Pages(settings, clock)
    answers += [PageUnavailableError("answers 429", 3000.0), Outcome(SUCCESS)]
    outcome = pages.look("prices", PRICES)
    assert (outcome.relationship, outcome.attributes["reason"]) == (UNAVAILABLE, "answers 429")
    for clock.now in (60.0, 300.0, 2999.0):
        assert pages.look("prices", PRICES).relationship == WAITING
    clock.now = 3000.0
    assert pages.look("prices", PRICES).relationship == SUCCESS


def test_one_page_in_trouble_does_not_keep_another(
    settings: Settings, clock: Clock, answers: list[Outcome | Exception]
) -> None:
    pages = Pages(settings, clock)
    answers += [PageUnavailableError("answers 503", 3000.0), Outcome(SUCCESS)]
    assert pages.look("prices", PRICES).relationship == UNAVAILABLE
    assert pages.look("weather", WEATHER).relationship == SUCCESS


def test_after_each_failure_in_a_row_it_may_wait_longer_and_after_a_success_as_at_first(
    settings: Settings, clock: Clock, answers: list[Outcome | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def longest(failures: int, _asked_s: float) -> float:
        asked.append(failures)
        return 2.0**failures

    monkeypatch.setattr(polling, "pause_s", longest)
    pages = Pages(settings, clock)
    answers += [PageUnavailableError("a"), PageUnavailableError("b"), Outcome(SUCCESS), PageUnavailableError("c")]
    for clock.now in (0.0, 2.0, 6.0, 66.0):
        pages.look("prices", PRICES)
    assert asked == [1, 2, 1]


def test_a_mapping_that_is_not_there_is_told(settings: Settings) -> None:
    outcome = Pages(settings).look("no_such_mapping", PRICES)
    assert outcome.relationship == "rejected"
    assert "no mapping 'no_such_mapping'" in outcome.attributes["reason"]
