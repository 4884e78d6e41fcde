"""What runs, where, how well, and how much memory it takes."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import psutil

from data_lake.quarantine import counts_by_reason
from ingestion_layer.kafka.client import BrokerUnavailableError
from ingestion_layer.kafka.offsets import MissingTopicError
from ingestion_layer.kafka.open_transactions import open_transactions
from tidemill.config.settings import Settings
from tidemill.contracts.registry import topics_called
from tidemill.stack.catalog import catalog
from tidemill.stack.folders import Folders
from tidemill.stack.service import NotReadyError, Service
from tidemill.stack.stream.progress import QueryProgress, stream_progress
from tidemill.stack.supervision.daemon import service_record
from tidemill.stack.supervision.processes import Record, memory_bytes, tree
from tidemill.stack.supervision.supervisor import Program, Supervisor


@dataclass(frozen=True)
class ServiceStatus:
    """One service. ``state`` is one of the values of :data:`STATES`; memory is that of its whole process tree."""

    name: str
    title: str
    state: str
    reason: str
    address: str
    pid: int | None
    memory_bytes: int
    uptime_s: float | None
    restarts: int
    log: str


@dataclass(frozen=True)
class StackStatus:
    """``memory_bytes`` is that of all services and of supervisord.

    ``waiting`` says which messages wait behind an open transaction; ``quarantined`` counts by topic and reason.
    """

    home: str
    supervisor_pid: int | None
    memory_bytes: int
    services: list[ServiceStatus]
    stream: list[QueryProgress]
    waiting: list[str]
    quarantined: Mapping[str, Mapping[str, int]]


STATES = {
    "ready": "it runs and does its work",
    "degraded": "it runs, and a part of it does not do its work: a sentence below the table says which and why",
    "starting": "it runs and is not ready yet",
    "unready": "it runs but does not do its work, for longer than a start takes",
    "restarting": "it ended, and supervisord is about to start it again",
    "stopping": "it was told to stop",
    "stopped": "it was not started, or stopped by `tidemill down`",
    "failed": "it ended, and supervisord has given up",
    "orphaned": "it runs, but supervisord is gone: `tidemill up` puts that right",
    "external": "the settings say that it runs on another machine, where it answers",
    "external-unready": "the settings say that it runs on another machine, where it does not answer",
}
STREAM_ANSWERS = {"ready", "degraded", "external", "starting", "unready"}
_BY_PROGRAM_STATE = {
    "BACKOFF": "restarting",
    "STOPPING": "stopping",
    "STOPPED": "stopped",
    "EXITED": "failed",
    "FATAL": "failed",
    "UNKNOWN": "failed",
}


def status(settings: Settings) -> StackStatus:
    """The state of every service, each probed now, and the stream's progress."""
    folders = Folders.of(settings)
    programs = Supervisor(folders).programs()
    services = list(catalog(settings).values())
    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        states = list(pool.map(partial(_service_status, folders, programs), services))
    daemon = Record.read(folders.supervisor_record)
    process = daemon.process() if daemon else None
    own = memory_bytes([process]) if process else 0
    stream_runs = any(state.name == "stream" and state.state in STREAM_ANSWERS for state in states)
    return StackStatus(
        home=str(settings.home),
        supervisor_pid=process.pid if process else None,
        memory_bytes=own + sum(state.memory_bytes for state in states),
        services=states,
        stream=_stream(settings) if stream_runs else [],
        waiting=_waiting(settings) if _answers("kafka", states) else [],
        quarantined=counts_by_reason(settings),
    )


def _answers(name: str, states: Sequence[ServiceStatus]) -> bool:
    return any(state.name == name and state.state in {"ready", "external"} for state in states)


def _waiting(settings: Settings) -> list[str]:
    """What no reader gets before a transaction ends; nothing where the broker does not answer after all."""
    try:
        return [str(waiting) for waiting in open_transactions(settings, topics_called(settings.stream.topics))]
    except (BrokerUnavailableError, MissingTopicError):
        return []


def _stream(settings: Settings) -> list[QueryProgress]:
    """Also of an application that is not ready yet; nothing while it does not answer, which its state says."""
    try:
        return stream_progress(settings)
    except NotReadyError:
        return []


def _service_status(folders: Folders, programs: Mapping[str, Program], service: Service) -> ServiceStatus:
    record = service_record(folders, service.name)
    process = record.process() if record else None
    state, reason = _state(programs.get(service.name), service, record if process else None)
    return ServiceStatus(
        name=service.name,
        title=service.title,
        state=state,
        reason=reason,
        address=service.address,
        pid=process.pid if process else None,
        memory_bytes=_tree_memory(process),
        uptime_s=record.age_s() if record and process else None,
        restarts=record.starts - 1 if record and process else 0,
        log=str(folders.log(service.name)),
    )


def _state(program: Program | None, service: Service, record: Record | None) -> tuple[str, str]:
    if not service.is_local:
        reason = _unready_reason(service, time.time())
        return ("external-unready", reason) if reason else ("external", _trouble(service))
    if program is None:
        return ("orphaned", STATES["orphaned"]) if record else ("stopped", "")
    if program.state in _BY_PROGRAM_STATE:
        state = _BY_PROGRAM_STATE[program.state]
        return state, (program.spawn_error or f"exit status {program.exit_status}") if state == "failed" else ""
    if record is None:
        return "starting", "its process has just been started or has just ended"
    reason = _unready_reason(service, record.since())
    if not reason:
        trouble = _trouble(service)
        return ("degraded", trouble) if trouble else ("ready", "")
    is_new = record.age_s() < service.ready_timeout_s
    return ("starting" if is_new else "unready"), reason


def _unready_reason(service: Service, since: float) -> str:
    try:
        service.probe(since)
    except NotReadyError as error:
        return str(error)
    return ""


def _trouble(service: Service) -> str:
    try:
        return service.trouble()
    except NotReadyError as error:  # it ended since it was probed
        return str(error)


def _tree_memory(process: psutil.Process | None) -> int:
    return memory_bytes(tree(process)) if process else 0
