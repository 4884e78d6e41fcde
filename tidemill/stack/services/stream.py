"""The Spark streaming application: Kafka to bronze to silver, and on to the states of features."""

import time
from functools import partial

from tidemill.config.environment import settings_environment
from tidemill.config.installation import SET_UP
from tidemill.config.settings import REPO, Settings
from tidemill.config.user import check_named
from tidemill.stack.definitions import definitions_environment
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.java import java_binary
from tidemill.stack.service import Launch, MissingPrerequisiteError, NotReadyError, Service
from tidemill.stack.stream.progress import (
    TROUBLES,
    QueryProgress,
    exposition,
    looked_at,
    parse_progress,
    stream_progress,
)

SILENT_AFTER_S = 60.0
"""The application asks its JVM every 2 s; a full garbage collection or a busy machine may keep it from answering."""
APPLICATION = REPO / "stream_processing" / "spark_streaming" / "app.py"


def services(settings: Settings) -> tuple[Service, ...]:
    stream = Service(
        name="stream",
        title="Spark streaming application",
        address=f"http://{settings.stream.metrics_address}/metrics",
        endpoints=(endpoint(settings.stream.metrics_address, "stream.metrics_address"),),
        launch=partial(launch, settings),
        probe=partial(probe, settings),
        trouble=partial(trouble, settings),
        after=("kafka", "redis"),
        ready_timeout_s=600,
        stop_timeout_s=60,
    )
    return (stream,)


def launch(settings: Settings) -> Launch:
    check_named()
    java_binary()
    if not any(settings.spark.jars.glob("*.jar")):
        raise MissingPrerequisiteError(f"no Spark jars in {settings.spark.jars}: run `{SET_UP}`")
    program = settings.platform_environment / "bin" / "tidemill"
    memory = str(settings.stream.driver_memory_mb)
    command = (str(program), "submit", "--driver-memory-mb", memory, str(APPLICATION))
    return Launch(command, settings_environment(settings) | definitions_environment(settings))


def probe(settings: Settings, _since: float) -> None:
    """The application serves its metrics, and runs its queries: two for each contract, one for each feature group.

    One that failed for good or is stuck is :func:`trouble`; the others do their work. The queries run in a JVM, which
    the Python process that serves the metrics asks every few seconds: what it says of them counts while it is asked.
    """
    from feature_store import catalog
    from tidemill.contracts.registry import topics_called

    page = exposition(settings)
    silent_s = time.time() - (looked_at(page) or time.time())
    if silent_s >= SILENT_AFTER_S:
        raise NotReadyError(f"its JVM has not answered for {silent_s:.0f} s: it is stopped, or hangs")
    known = {progress.query: progress for progress in parse_progress(page)}
    expected = [f"{layer}/{topic}" for topic in topics_called(settings.stream.topics) for layer in ("bronze", "silver")]
    expected += [
        f"features/{catalog.state_view_name(group)}" for group in catalog.served_groups(settings.serving.use_cases)
    ]
    missing = [_missing(query, known.get(query)) for query in expected if not _is_settled(known.get(query))]
    if missing:
        raise NotReadyError(f"not running: {', '.join(missing)}")


def trouble(settings: Settings) -> str:
    """The queries that failed for good or are stuck, each with its sentence; empty when there is none."""
    troubled = [progress for progress in stream_progress(settings) if progress.state in TROUBLES]
    return "; ".join(f"{progress.query} is {progress.state}" for progress in troubled)


def _is_settled(progress: QueryProgress | None) -> bool:
    return progress is not None and progress.state in ("running", "searching", *TROUBLES)


def _missing(query: str, progress: QueryProgress | None) -> str:
    return f"{query} ({progress.sentence})" if progress is not None and progress.sentence else query
