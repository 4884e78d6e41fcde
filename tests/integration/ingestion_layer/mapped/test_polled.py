"""A page polled onto the real broker: what it says new is an event once, whatever its server does."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Signal
from typing import Any

import orjson
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.mapped import polled
from ingestion_layer.sources.mapped.answers import Page
from ingestion_layer.sources.mapped.mapping import mapping_called
from ingestion_layer.sources.mapped.polled import PolledSource, once, poll
from tests.cases.kafka_messages import ends, messages_after
from tests.cases.pages import Pages, answer, broken_off, serving, tagged
from tests.integration.own_broker import own_broker
from tidemill.config import Settings
from tidemill.config.errors import TransientError

TOPIC = "market.competitor_price.v1"


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    ensure_topics(settings)
    return settings.model_copy(update={"home": tmp_path / "home"})


@pytest.fixture
def pages() -> Iterator[Pages]:
    with serving() as pages:
        yield pages


@contextmanager
def source(settings: Settings, pages: Pages) -> Iterator[PolledSource]:
    with (
        closing(Page(pages.url)) as page,
        PolledSource(settings, mapping_called("competitor_prices"), page).held() as polled_source,
    ):
        yield polled_source


def page_of(*prices: tuple[str, Any, str]) -> bytes:
    rows = [
        {"product_id": product, "competitor": "north", "price": price, "currency": "GBP", "seen_at": at}
        for product, price, at in prices
    ]
    return json.dumps({"prices": rows}).encode()


def sent_after(settings: Settings, starts: dict[int, int]) -> list[tuple[str, str, float]]:
    events = [orjson.loads(m.value()) for m in messages_after(settings.kafka.bootstrap_servers, TOPIC, starts)]
    return sorted((event["id"], event["data"]["product_id"], event["data"]["price"]) for event in events)


def test_only_what_is_new_is_sent(own: Settings, pages: Pages) -> None:
    starts = ends(own.kafka.bootstrap_servers, TOPIC)
    first = page_of(("A", 1.5, "2026-01-01T10:00:00"), ("B", 2, "2026-01-01T10:00:00"), ("C", "dear", "2026-01-01"))
    second = page_of(("A", 1.5, "2026-01-01T10:00:00"), ("B", 2.25, "2026-01-01T11:00:00"))
    with source(own, pages) as prices:
        pages.script = [tagged(first, '"1"')]
        told = prices.look()
        assert told is not None
        assert (told.rows, told.new, told.produced, dict(told.rejected)) == (3, 3, 2, {"unreadable": 1})
        assert prices.look() is None
    with source(own, pages) as prices:  # another process knows what was said
        assert prices.look() is None
        pages.script = [tagged(second, '"2"')]
        told = prices.look()
        assert told is not None
        assert (told.rows, told.new, told.produced) == (2, 1, 1)
    assert sorted((product, price) for _, product, price in sent_after(own, starts)) == [
        ("A", 1.5),
        ("B", 2),
        ("B", 2.25),
    ]


def test_a_page_that_was_sent_but_not_noted_is_sent_with_the_same_ids(
    own: Settings, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = ends(own.kafka.bootstrap_servers, TOPIC)
    pages.script = [tagged(page_of(("D", 3, "2026-01-01T10:00:00")), '"1"'), answer(500)]

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, source(own, pages) as prices:
        patch.setattr(polled, "RejectedLines", killed)  # after the broker's acknowledgement, before the note
        with pytest.raises(Killed):
            prices.look()
    with source(own, pages) as prices:
        told = prices.look()  # not asked for again: the server answers 500 now
        assert told is not None
        assert told.produced == 1
    twice = sent_after(own, starts)
    assert len(twice) == 2
    assert len({event_id for event_id, _, _ in twice}) == 1


def test_a_server_in_trouble_is_asked_again_until_it_answers(
    own: Settings, pages: Pages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(polled, "pause_s", lambda failures, asked_s: 0.0)
    good = page_of(("E", 4, "2026-01-01T10:00:00"))
    pages.script = [
        answer(500),
        answer(429, retry_after="1"),
        broken_off,
        answer(200, b"<html>"),
        answer(200, b'{"price": []}'),
        answer(200, good),
    ]
    stop = Signal()
    with source(own, pages) as prices:
        told = next(iter(poll(prices, 0.1, stop)))
        assert told is not None
        assert told.produced == 1
    said = capsys.readouterr().err
    for part in ("500", "429", "does not answer", "is no JSON", "no list of rows at poll.rows = 'prices'"):
        assert part in said
    pages.script = [answer(500), answer(200, page_of(("F", 4, "2026-01-01T10:00:00")))]
    with source(own, pages) as prices:
        told = once(prices, 2, stop)
        assert told is not None
        assert told.new == 1


def test_polling_goes_on_when_the_broker_is_back(tmp_path: Path, pages: Pages) -> None:
    with own_broker(tmp_path / "home") as broker:
        kafka = broker.settings.kafka.model_copy(update={"delivery_timeout_s": 2.0})
        own = broker.settings.model_copy(update={"kafka": kafka})
        ensure_topics(own)
        pages.script = [tagged(page_of(("A", 1, "2026-01-01T10:00:00")), '"1"')]
        with source(own, pages) as prices:
            assert prices.look() is not None
            pages.script = [tagged(page_of(("A", 2, "2026-01-01T11:00:00")), '"2"')]
            broker.stop()
            for _ in range(2):
                with pytest.raises(TransientError, match=str(own.kafka.bootstrap_servers)):
                    prices.look()
            broker.start()
            told = prices.look()
            assert told is not None
            assert told.produced == 1
            assert prices.look() is None
        assert sorted(price for _, _, price in sent_after(own, dict.fromkeys(range(4), 0))) == [1, 2]
