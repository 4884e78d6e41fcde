"""Starting services: each as soon as those it needs are ready."""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from enum import StrEnum

from tidemill.config.settings import Settings
from tidemill.stack.catalog import catalog, named, select
from tidemill.stack.folders import Folders
from tidemill.stack.lock import locked
from tidemill.stack.logs import last_lines
from tidemill.stack.machine.ports import check_free
from tidemill.stack.service import Launch, NotReadyError, Service
from tidemill.stack.supervision.daemon import ensure_supervisor, service_record
from tidemill.stack.supervision.launch import record_path
from tidemill.stack.supervision.processes import Record
from tidemill.stack.supervision.running import StartFailedError, runner
from tidemill.stack.supervision.supervisor import ALIVE, RUNNING, Supervisor
from tidemill.stack.supervision.temporary import sweep

POLL_S = 1.0
# Ending once while starting may be bad luck, such as a port in TIME_WAIT; ending twice is a reason to stop trying.
MAX_STARTS = 2


class Phase(StrEnum):
    WAITING = "waiting"
    SETTING_UP = "setting up"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Progress:
    """Where one service is; ``detail`` says what it waits for, or why it failed."""

    service: str
    phase: Phase
    detail: str = ""


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Started:
    """What ``up`` did: the services that are ready, and those among them that ran already."""

    ready: tuple[str, ...]
    already_running: tuple[str, ...]


class _CancelledError(Exception):
    """Another service failed first."""


def up(settings: Settings, names: Sequence[str] = (), report: Report = lambda _: None) -> Started:
    """Start the named services and those they need, and return when each is ready; without names all but optional.

    A running service is left alone unless its settings, or the project's definitions that it reads, changed; then it is
    started again.

    Raises:
        UnknownServiceError, RemoteServiceError, StackLockedError, PortInUseError, MissingPrerequisiteError,
        SetupFailedError, StartFailedError: the message names the service, the reason and the log.
    """
    everything = catalog(settings)
    names = named(everything, names)
    folders = Folders.of(settings)
    folders.create()
    with locked(folders):
        chosen = select(everything, _with_orphans(folders, everything, names))
        sweep(folders)
        launches = {
            service.name: service.launch().with_temporary(folders.temporary(service.name)) for service in chosen
        }
        supervisor = ensure_supervisor(list(everything.values()), settings)
        programs = {service.name: supervisor.program(service.name) for service in chosen}
        for service in chosen:
            if programs[service.name].state not in ALIVE:
                check_free(service.name, service.endpoints)
        running = {
            service.name
            for service in chosen
            if programs[service.name].state in RUNNING and _is_current(folders, service.name, launches[service.name])
        }
        _Start(supervisor, settings, launches, running, report).run(chosen)
    return Started(tuple(service.name for service in chosen), tuple(sorted(running)))


def _with_orphans(folders: Folders, services: Mapping[str, Service], names: Sequence[str]) -> list[str]:
    """The names, and those of services that lost their supervisord: they are stopped with it, so they start again."""
    if not names or Supervisor(folders).is_alive():
        return list(names)
    records = {name: service_record(folders, name) for name in services}
    orphans = [name for name, record in records.items() if record and record.process() and name not in names]
    return [*names, *orphans]


def _is_current(folders: Folders, name: str, launch: Launch) -> bool:
    path = folders.launch_file(name)
    return path.exists() and path.read_text(encoding="utf-8") == _text(launch)


def _text(launch: Launch) -> str:
    return json.dumps(asdict(launch), sort_keys=True)


class _Start:
    """One ``up``: a thread a service, each waiting for those it needs."""

    def __init__(
        self, supervisor: Supervisor, settings: Settings, launches: dict[str, Launch], running: set[str], report: Report
    ) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._folders = Folders.of(settings)
        self._launches = launches
        self._running = running
        self._report = report
        self._cancelled = threading.Event()

    def run(self, services: Sequence[Service]) -> None:
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(max_workers=len(services)) as pool:
            for service in services:
                needed = [futures[name] for name in service.after if name in futures]
                futures[service.name] = pool.submit(self._bring_up, service, needed)
            try:
                wait(futures.values())
            except BaseException:
                self._cancelled.set()
                raise
        errors = [error for future in futures.values() if (error := future.exception())]
        for error in errors:
            if not isinstance(error, _CancelledError):
                raise error

    def _bring_up(self, service: Service, needed: Sequence[Future[None]]) -> None:
        try:
            self._wait_for(service, needed)
            if service.name not in self._running:
                self._start(service)
            self._wait_ready(service)
        except _CancelledError:
            raise
        except Exception as error:
            self._cancelled.set()
            self._report(Progress(service.name, Phase.FAILED, str(error).splitlines()[0]))
            raise
        self._report(Progress(service.name, Phase.READY))

    def _wait_for(self, service: Service, needed: Sequence[Future[None]]) -> None:
        if needed:
            self._report(Progress(service.name, Phase.WAITING, f"for {', '.join(service.after)}"))
        wait(needed)
        if self._cancelled.is_set():
            raise _CancelledError

    def _start(self, service: Service) -> None:
        self._stop(service)
        self._report(Progress(service.name, Phase.SETTING_UP))
        service.setup(runner(service, self._settings))
        launch = self._launches[service.name]
        launch.write_files()
        launch_file = self._folders.launch_file(service.name)
        launch_file.touch(mode=0o600)
        launch_file.write_text(_text(launch), encoding="utf-8")
        record_path(launch_file).unlink(missing_ok=True)
        self._supervisor.start(service.name)

    def _stop(self, service: Service) -> None:
        self._supervisor.stop(service.name)
        deadline = time.monotonic() + service.stop_timeout_s + 10
        while self._supervisor.program(service.name).state in ALIVE:
            if time.monotonic() > deadline:
                raise StartFailedError(f"{service.name} does not stop, so it cannot be started with its new settings")
            time.sleep(POLL_S)

    def _wait_ready(self, service: Service) -> None:
        deadline = time.monotonic() + service.ready_timeout_s
        reason = "it was not asked yet"
        while time.monotonic() < deadline:
            if self._cancelled.is_set():
                raise _CancelledError
            record = service_record(self._folders, service.name)
            self._check_running(service, record, reason)
            try:
                service.probe(record.since() if record else time.time())
                service.complete()
            except NotReadyError as error:
                reason = str(error)
            else:
                return
            self._report(Progress(service.name, Phase.STARTING, reason))
            time.sleep(POLL_S)
        raise self._failure(service, f"was not ready after {service.ready_timeout_s:.0f} s: {reason}")

    def _check_running(self, service: Service, record: Record | None, reason: str) -> None:
        program = self._supervisor.program(service.name)
        is_looping = record is not None and record.starts > MAX_STARTS and service.name not in self._running
        if program.state in {"FATAL", "EXITED"} or is_looping:
            self._supervisor.stop(service.name)
            why = program.spawn_error or f"exit status {program.exit_status}"
            raise self._failure(service, f"ended while starting ({why}); {reason}")

    def _failure(self, service: Service, what: str) -> StartFailedError:
        log = self._folders.log(service.name)
        return StartFailedError(f"{service.name} {what}; the log {log} ends with:\n{last_lines(log)}")
