"""The job ``sessions`` on the real Kafka and Flink, held against a loop over the same clicks."""

from collections.abc import Mapping
from random import Random
from typing import Any

import orjson

from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tests.cases.clicks import START, arriving_clicks, broken, click, later
from tests.cases.naive_sessions import naive_sessions
from tests.integration.stream_processing.flink.results import received, send, wait_for
from tidemill.config import Settings
from tidemill.contracts.checker import Event, checker

CLICKS, SESSIONS = "shop.click.v1", "shop.session.v1"
Data = dict[str, Any]
OTHERS = 40
"""Visitors whose late clicks move the time of every partition on."""


def test_the_visits_are_those_of_a_loop_over_the_same_clicks(flink: Settings) -> None:
    random = Random(7)
    clicks = arriving_clicks(random, 6_000, 300)
    judged = naive_sessions(clicks)
    assert len(judged) > 1_000
    send(flink, CLICKS, [*clicks, *broken(clicks[:50]), *later(random, OTHERS, 24)])
    job_id = deploy(flink, job("sessions")).job_id
    wait_for(lambda: judged.keys() <= _results(flink).keys(), "every visit of the judge was sent")

    lost = [click(f"lost {n}", START, session_id=f"lost {n}") for n in range(20)]
    send(flink, CLICKS, lost)
    wait_for(lambda: Cluster(flink).late(job_id) == len(lost), "the clicks that came a day late are counted")

    results = _results(flink)
    assert {name: data for name, data in results.items() if not _is_outdone(name, results)} == judged
    assert len(results) > len(judged)  # some grew after they were sent
    stop(flink, "sessions")


def _results(flink: Settings) -> dict[str, Data]:
    """The data of what was sent, by id; each message is a valid event under the key of its contract."""
    results: dict[str, Data] = {}
    for key, value in received(flink, SESSIONS):
        assert isinstance(checker(SESSIONS).read(value), Event), value
        event = orjson.loads(value)
        assert key.decode() == event["data"]["visitor_id"]
        assert results.setdefault(event["id"], event["data"]) == event["data"]
    return results


def _is_outdone(name: str, results: Mapping[str, Data]) -> bool:
    """Whether another version of the visit, or of what it became a part of, stands on more clicks."""
    data = results[name]
    return any(
        other["visitor_id"] == data["visitor_id"]
        and other["started_at"] <= data["started_at"]
        and data["ended_at"] <= other["ended_at"]
        and other["clicks"] > data["clicks"]
        for other in results.values()
    )
