"""The server's Prometheus metrics."""

from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

requests = Counter("tidemill_events_requests", "answered requests", ["route", "status"])
request_seconds = Histogram("tidemill_events_request_seconds", "time to answer", ["route"], buckets=_SECONDS)
acknowledge_seconds = Histogram(
    "tidemill_events_acknowledge_seconds", "from the last message queued to the broker's answer", buckets=_SECONDS
)
accepted = Counter("tidemill_events_accepted", "events that the broker has acknowledged", ["topic"])
refused = Counter("tidemill_events_refused", "events that the contract refuses", ["topic", "reason"])
held_bytes = Gauge("tidemill_events_held_bytes", "of bodies that are not answered yet")
broker_up = Gauge("tidemill_events_broker_up", "1 when the broker answered last time")


def exposition() -> bytes:
    return generate_latest(REGISTRY)


@cache
def requests_of(route: str, status: int) -> Counter:
    """Both are from closed sets; looking a label up costs more than counting."""
    return requests.labels(route, str(status))


@cache
def seconds_of(route: str) -> Histogram:
    return request_seconds.labels(route)


@cache
def accepted_of(topic: str) -> Counter:
    return accepted.labels(topic)
