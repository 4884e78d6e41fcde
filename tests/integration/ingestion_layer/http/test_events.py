"""Events come in over HTTP and are on the topic when the answer comes, in each mode, by clients of others."""

import datetime
from collections.abc import Callable

import httpx
import orjson
import pytest
from cloudevents.core.bindings import http as core
from cloudevents.core.v1.event import CloudEvent

from tests.integration.ingestion_layer.http.event_server import (
    BATCH,
    STRUCTURED,
    TOPIC,
    EventServer,
    click,
    events_on,
    ids,
    values,
)

AT = datetime.datetime(2026, 11, 27, 10, tzinfo=datetime.UTC)


def post(server: EventServer, event: object, topic: str = TOPIC) -> httpx.Response:
    headers = BATCH if isinstance(event, list) else STRUCTURED
    return server.client.post(f"/events/{topic}", content=orjson.dumps(event), headers=headers)


@pytest.mark.parametrize("encode", [core.to_structured_event, core.to_binary_event], ids=["structured", "binary"])
def test_the_official_sdk_sends_an_event(server: EventServer, encode: Callable[[CloudEvent], core.HTTPMessage]) -> None:
    stated = click(source="urn:example:Straße 50%", time=AT)
    event = CloudEvent({name: value for name, value in stated.items() if name != "data"}, stated["data"])
    message = encode(event)

    answer = server.client.post(f"/events/{TOPIC}", content=message.body, headers=message.headers)

    assert (answer.status_code, answer.json()) == (202, {"topic": TOPIC, "accepted": 1})
    (sent,) = [event for event in events_on(server.settings) if event["id"] == stated["id"]]
    assert datetime.datetime.fromisoformat(sent.pop("time")) == AT
    added = {"datacontenttype": "application/json", "dataschema": "urn:tidemill:shop.click.v1"}
    assert sent == {name: value for name, value in stated.items() if name != "time"} | added


def test_a_batch_is_on_the_topic_when_it_is_answered(server: EventServer) -> None:
    events = [click() for _ in range(200)]
    answer = post(server, events)
    assert (answer.status_code, answer.json()) == (202, {"topic": TOPIC, "accepted": 200})
    assert {event["id"] for event in events} <= set(ids(server.settings))
    assert post(server, []).json() == {"topic": TOPIC, "accepted": 0}


def test_an_event_sent_again_is_the_same_message_again(server: EventServer) -> None:
    event = click()
    assert [post(server, event).status_code for _ in range(2)] == [202, 202]
    messages = [value for value in values(server.settings) if event["id"].encode() in value]
    assert len(messages) == 2
    assert len(set(messages)) == 1


@pytest.mark.parametrize(
    ("event", "status", "pointer", "reason"),
    [
        pytest.param(click(data={"session_id": "s"}), 422, "/data", "schema", id="a field is missing"),
        pytest.param(click(data=click()["data"] | {"kind": "look"}), 422, "/data/kind", "schema", id="no such kind"),
        pytest.param(click(time="yesterday"), 422, "/time", "not_cloudevent", id="no time"),
        pytest.param(click(type="shop.order.v9"), 422, "/type", "unknown_type", id="of no topic"),
        pytest.param(click(type="shop.customer.v1"), 422, "/type", "unknown_type", id="of another topic"),
        pytest.param(click(id=""), 422, "/id", "not_cloudevent", id="an empty id"),
        pytest.param(click(datacontenttype="text/xml"), 422, "/datacontenttype", "not_cloudevent", id="XML"),
        pytest.param(["no event"], 422, "", "not_cloudevent", id="no object"),
    ],
)
def test_what_the_lake_would_refuse_is_refused_with_its_place(
    server: EventServer, event: object, status: int, pointer: str, reason: str
) -> None:
    before = len(values(server.settings))
    answer = post(server, event)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == status
    assert [(error["pointer"], error["reason"]) for error in answer.json()["errors"]] == [(pointer, reason)]
    assert len(values(server.settings)) == before


def test_of_a_batch_with_two_bad_events_nothing_is_sent_and_both_are_named(server: EventServer) -> None:
    events = [click() for _ in range(300)]
    events[7]["data"] = events[7]["data"] | {"device": "fridge"}
    del events[205]["source"]
    answer = post(server, events)
    assert answer.status_code == 422
    assert answer.json()["detail"] == "2 of 300 events are refused, so none of them was sent"
    told = [(error["index"], error["id"], error["pointer"], error["reason"]) for error in answer.json()["errors"]]
    assert told == [
        (7, events[7]["id"], "/data/device", "schema"),
        (205, events[205]["id"], "", "not_cloudevent"),
    ]
    assert not {event["id"] for event in events} & set(ids(server.settings))


def test_an_unknown_topic_is_answered_with_the_nearest(server: EventServer) -> None:
    answer = post(server, click(), "shop.clicks.v1")
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        "there is no topic 'shop.clicks.v1'; did you mean 'shop.click.v1'?",
    )


def test_a_body_beyond_the_bound_is_refused_by_its_length_or_when_it_came(server: EventServer) -> None:
    body = b" " * 100_001
    declared = server.client.post(f"/events/{TOPIC}", content=body, headers=STRUCTURED)
    chunked = server.client.post(f"/events/{TOPIC}", content=iter([body[:60_000], body[60_000:]]), headers=STRUCTURED)
    assert [declared.status_code, chunked.status_code] == [413, 413]
    assert "larger than 100,000 bytes" in declared.json()["detail"]


def test_only_the_named_page_may_send_from_a_browser(server: EventServer) -> None:
    def preflight(origin: str) -> httpx.Response:
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type, ce-id"}
        return server.client.options(f"/events/{TOPIC}", headers={"origin": origin, **asked})

    allowed, other = preflight("https://shop.example"), preflight("https://elsewhere.example")
    assert allowed.status_code == 204
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert allowed.headers["access-control-allow-headers"] == "ce-id, content-type"
    assert "access-control-allow-origin" not in other.headers


def test_the_server_tells_how_it_is(server: EventServer) -> None:
    assert server.client.get("/healthz").json() == {"status": "alive"}
    ready = server.client.get("/readyz").json()
    assert (ready["status"], ready["dependencies"]["kafka"]["state"]) == ("ready", "ok")
    post(server, click())
    post(server, click(time="now"))
    exposition = server.client.get("/metrics").text
    assert f'tidemill_events_accepted_total{{topic="{TOPIC}"}}' in exposition
    assert f'tidemill_events_refused_total{{reason="not_cloudevent",topic="{TOPIC}"}}' in exposition
    assert "tidemill_events_held_bytes 0.0" in exposition
    assert server.client.head("/healthz").status_code == 200
    assert server.client.get(f"/events/{TOPIC}").status_code == 405
    assert server.client.get("/nowhere").status_code == 404
