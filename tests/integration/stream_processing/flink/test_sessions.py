"""The job ``sessions`` on the real Kafka and Flink, held against a loop over the same clicks."""

from collections.abc import Mapping
from random import Random
from typing import Any

from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tests.cases.clicks import START, arriving_clicks, broken, click, later
from tests.cases.naive_sessions import naive_sessions
from tests.integration.stream_processing.flink.results import send, sessions_sent, wait_for
from tidemill.config import Settings

CLICKS = "shop.click.v1"
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
    wait_for(lambda: judged.keys() <= sessions_sent(flink).keys(), "every visit of the judge was sent")

    lost = [click(f"lost {n}", START, session_id=f"lost {n}") for n in range(20)]
    send(flink, CLICKS, lost)
    wait_for(lambda: Cluster(flink).late(job_id) == len(lost), "the clicks that came a day late are counted")

    results = sessions_sent(flink)
    assert {name: data for name, data in results.items() if not _is_outdone(name, results)} == judged
    assert len(results) > len(judged)  # some grew after they were sent
    stop(flink, "sessions")


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
