"""Pages that are polled, by each way in: what one says new is an event once, whatever its server does."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import orjson
import pytest

from ingestion_layer.kafka.topics import ensure_topics
from tests.cases.kafka_messages import Offsets, ends, messages_after
from tests.cases.pages import Pages, answer, broken_off, serving, tagged
from tests.integration.ingestion_layer.mapped.ingesting import started
from tests.integration.ingestion_layer.ways.partner_folders import until
from tests.integration.own_broker import OwnBroker
from tidemill.config import Settings

TOPIC = "market.competitor_price.v1"
MAPPING = "competitor_prices"

Polled = Callable[[], AbstractContextManager[Pages]]
"""A server whose page is polled while the block runs."""


@pytest.fixture(params=[pytest.param("nifi", marks=[pytest.mark.ingestion, pytest.mark.matrix]), "python"])
def polled(request: pytest.FixtureRequest, broker: OwnBroker) -> Polled:
    """Each kind of way in turn."""
    ensure_topics(broker.settings)
    if request.param == "nifi":
        request.getfixturevalue("nifi")
        pages: Pages = request.getfixturevalue("nifis_pages")
        return lambda: nullcontext(pages)
    return lambda: _by_the_command(broker.settings)


@contextmanager
def _by_the_command(settings: Settings) -> Iterator[Pages]:
    with serving() as pages:
        pages.script = [answer(200, page_of())]
        with started(settings, "poll", MAPPING, "--url", pages.url, "--every", "0.2"):
            yield pages


def page_of(*prices: tuple[str, float | str, int]) -> bytes:
    """A page with a price of each product, seen at an hour."""
    rows = [
        {"product_id": product, "competitor": "north", "price": price, "currency": "GBP", "seen_at": at(hour)}
        for product, price, hour in prices
    ]
    return json.dumps({"prices": rows}).encode()


def at(hour: int) -> str:
    return f"2026-01-01T{hour:02d}:00:00"


def sent(broker: OwnBroker, starts: Offsets) -> list[tuple[str, float]]:
    events = [orjson.loads(message.value()) for message in messages_after(broker.servers, TOPIC, starts)]
    return sorted((event["data"]["product_id"], event["data"]["price"]) for event in events)


def asked_again(pages: Pages) -> None:
    """Until the page was asked for twice more, so that what it said before was taken."""
    before = len(pages.asked)
    until(lambda: len(pages.asked) >= before + 2)


def test_only_what_is_new_becomes_an_event(polled: Polled, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    with polled() as pages:
        pages.script = [tagged(page_of(("A", 1.5, 10), ("B", 2, 10), ("C", "dear", 10)), '"1"')]
        asked_again(pages)
        assert sent(broker, starts) == [("A", 1.5), ("B", 2)]
        pages.script = [tagged(page_of(("A", 1.5, 10), ("B", 2.25, 11)), '"2"')]
        asked_again(pages)
        assert sent(broker, starts) == [("A", 1.5), ("B", 2), ("B", 2.25)]
        assert pages.asked[-1]["if-none-match"] == '"2"'


def test_a_server_in_trouble_is_asked_again_until_it_answers(polled: Polled, broker: OwnBroker) -> None:
    starts = ends(broker.servers, TOPIC)
    with polled() as pages:
        trouble = [answer(500), answer(429, retry_after="1"), broken_off, answer(200, b"<html>"), answer(200, b"{}")]
        pages.script = [*trouble, answer(200, page_of(("E", 4, 10)))]
        until(lambda: bool(sent(broker, starts)))
        asked_again(pages)
    assert sent(broker, starts) == [("E", 4)]
