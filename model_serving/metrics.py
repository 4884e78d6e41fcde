"""The server's Prometheus metrics; with several workers they are summed through prometheus_client's shared files."""

import os
from collections.abc import Mapping
from pathlib import Path

import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from tidemill.config.settings import Settings

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

requests = Counter("tidemill_serving_requests", "answered requests", ["method", "route", "status"])
in_flight = Gauge("tidemill_serving_requests_in_flight", "requests being answered", multiprocess_mode="livesum")
request_seconds = Histogram("tidemill_serving_request_seconds", "time to answer", ["route"], buckets=_SECONDS)
stage_seconds = Histogram("tidemill_serving_stage_seconds", "time in one stage", ["stage"], buckets=_SECONDS)
predictions = Counter("tidemill_serving_predictions", "predictions answered", ["use_case"])
degraded = Counter("tidemill_serving_degraded", "predictions answered with this reason", ["use_case", "reason"])
model = Gauge(
    "tidemill_serving_model",
    "1 for the model that answers, 0 for one that did",
    ["use_case", "name", "version", "alias"],
    multiprocess_mode="livemax",
)
reloads = Counter("tidemill_serving_model_reloads", "attempts to load another model", ["use_case", "outcome"])
arm_predictions = Counter(
    "tidemill_serving_arm_predictions", "predictions by arm and version", ["use_case", "arm", "version"]
)
challenger_failed = Counter(
    "tidemill_serving_challenger_failed",
    "predictions that the challenger was to answer and could not, by why",
    ["use_case", "why"],
)
shadow_dropped = Counter("tidemill_serving_shadow_dropped", "predictions that the shadow did not get to", ["use_case"])
traffic_epoch = Gauge(
    "tidemill_serving_traffic_epoch",
    "the change of the traffic that is followed",
    ["use_case"],
    multiprocess_mode="livemin",
)
traffic_share = Gauge(
    "tidemill_serving_traffic_share",
    "per cent of the entities that the traffic gives to the challenger",
    ["use_case"],
    multiprocess_mode="livemax",
)
dependency_up = Gauge(
    "tidemill_serving_dependency_up", "1 when it answered last time", ["dependency"], multiprocess_mode="livemin"
)
log_waiting = Gauge(
    "tidemill_serving_prediction_log_waiting",
    "predictions that no broker has acknowledged yet",
    multiprocess_mode="livesum",
)
logged = Counter("tidemill_serving_prediction_log", "predictions by what became of them in the log", ["outcome"])


def shared_folder(settings: Settings) -> Path | None:
    """Where the workers share their metrics; None when there is one worker, which needs no files."""
    return settings.home / "serving" / "metrics" if settings.serving.workers > 1 else None


def exposition(shared: Path | None) -> bytes:
    """All metrics in Prometheus' text format: of this process, or of all workers through their ``shared`` folder.

    What a worker counted stays when it is killed; its gauges, which tell what is, go.
    """
    if shared is None:
        return generate_latest(REGISTRY)
    for pid in _pids_with_gauges(shared):
        if not _is_worker(pid):
            multiprocess.mark_process_dead(pid, str(shared))  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(shared))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget_worker(shared: Path | None) -> None:
    """Take this worker's live gauges out of the ``shared`` folder."""
    if shared is not None:
        multiprocess.mark_process_dead(os.getpid(), str(shared))  # type: ignore[no-untyped-call]


def _pids_with_gauges(shared: Path) -> set[int]:
    """Of the processes that have live gauges in the folder, whose files are called ``gauge_live<mode>_<pid>.db``."""
    return {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*_*.db")}


def _is_worker(pid: int) -> bool:
    """Whether ``pid`` is this process or one that runs beside it under the same supervisor."""
    if pid == os.getpid():
        return True
    try:
        process = psutil.Process(pid)
        return process.ppid() == os.getppid() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def route_labels(scope: Mapping[str, object]) -> tuple[str, str]:
    """Method and route template of a request; both from a closed set, whatever clients send."""
    method = str(scope["method"])
    route = getattr(scope.get("route"), "path", None)
    return (method if method in _METHODS else "other", route if isinstance(route, str) else "none")


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
