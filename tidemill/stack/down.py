"""Stopping services, and removing the home folder."""

import os
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tidemill.config.errors import TerminalError
from tidemill.config.settings import REPO, Settings
from tidemill.config.user import own_home
from tidemill.stack.catalog import catalog, named, waves
from tidemill.stack.folders import Folders
from tidemill.stack.lock import locked
from tidemill.stack.service import Service
from tidemill.stack.supervision.daemon import end_leftovers, has_processes, leftovers, service_processes
from tidemill.stack.supervision.processes import Record, end, wait_gone
from tidemill.stack.supervision.supervisor import ALIVE, Supervisor

POLL_S = 0.2
SUPERVISOR_STOP_S = 30.0


class PurgeRefusedError(TerminalError):
    """The home folder holds more than the stack's own state."""


class StopFailedError(TerminalError):
    """A service did not stop in time."""


def down(settings: Settings, names: Iterable[str] = (), report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Stop the named services, or all and supervisord; returns the names of those that ran.

    Raises:
        UnknownServiceError, StackLockedError, StopFailedError
    """
    services = catalog(settings)
    asked = set(named(services, names))
    folders = Folders.of(settings)
    if not folders.run.is_dir():
        return []
    with locked(folders):
        return _stop(folders, services, asked, report)


def purge(settings: Settings, report: Callable[[str], None] = lambda _: None) -> list[str]:
    """Stop everything and remove the home folder with all in it; returns the names of the services that ran.

    Removing may take long, so the folder is moved aside before the lock is let go: whoever starts a stack meanwhile
    starts a new one.

    Raises:
        PurgeRefusedError: it is not a home folder the stack made, or something else lives in it.
        StackLockedError, StopFailedError
    """
    folders = Folders.of(settings)
    if not folders.home.exists():
        return []
    check_purgeable(settings)
    folders.run.mkdir(exist_ok=True, mode=0o700)
    aside = folders.home.with_name(f"{folders.home.name}.removed-{os.getpid()}")
    with locked(folders):
        stopped = _stop(folders, catalog(settings), set(), report)
        try:
            folders.home.rename(aside)
        except OSError as error:  # such as of a folder that something is mounted on
            raise PurgeRefusedError(
                f"{folders.home} cannot be moved aside ({error}): the stack is down, remove what is in it by hand"
            ) from error
    shutil.rmtree(aside)
    return stopped


def check_purgeable(settings: Settings) -> None:
    """Raises PurgeRefusedError when the home folder is not the stack's, or holds what is not."""
    folders = Folders.of(settings)
    home = folders.home.resolve()
    for inside in (REPO, own_home() or REPO, Path.cwd(), settings.project or REPO):
        if inside.resolve().is_relative_to(home):
            raise PurgeRefusedError(f"{home} holds {inside}: not removing it; remove what you want gone by hand")
    if not folders.marker.exists():
        raise PurgeRefusedError(f"{home} was not made by `tidemill up`: not removing it; remove it by hand")
    if foreign := folders.foreign():
        raise PurgeRefusedError(
            f"{home} holds {', '.join(foreign)}, which is not the stack's: not removing it; move that away, or remove "
            "what you want gone by hand"
        )


def _stop(folders: Folders, services: dict[str, Service], asked: set[str], report: Callable[[str], None]) -> list[str]:
    stopped = _stop_services(folders, services, asked or set(services), report)
    if not asked:
        _stop_supervisor(folders)
    return stopped


def _stop_services(
    folders: Folders, services: dict[str, Service], names: set[str], report: Callable[[str], None]
) -> list[str]:
    supervisor, stopped = Supervisor(folders), []
    if not supervisor.is_alive():
        return _end_orphans(folders, services, names, report)
    for wave in reversed(waves(services.values())):
        programs = supervisor.programs()
        going = [each for each in wave if each.name in names and each.name in programs]
        going = [each for each in going if programs[each.name].state in ALIVE]
        for service in going:
            report(service.name)
            supervisor.stop(service.name)
        wait_stopped(folders, going)
        stopped += [service.name for service in going]
    return stopped


def _end_orphans(
    folders: Folders, services: dict[str, Service], names: set[str], report: Callable[[str], None]
) -> list[str]:
    """End those of the named services that run although supervisord is gone."""
    daemon = Record.read(folders.supervisor_record)
    if daemon and daemon.process() and names != set(services):
        raise StopFailedError(
            f"supervisord (process {daemon.pid}) does not answer, and would start again what is stopped: try again, or "
            "stop everything with `tidemill down`"
        )
    ended = []
    for wave in reversed(waves(services.values())):
        going = [service for service in wave if service.name in names and has_processes(folders, service.name)]
        for service in going:
            report(service.name)
            end(service_processes(folders, service.name), service.stop_timeout_s)
        wait_stopped(folders, going)
        ended += [service.name for service in going]
    return ended


def wait_stopped(folders: Folders, services: list[Service]) -> None:
    """Wait for the services' last processes: one that a service started may end after it, and hold a port so long."""
    deadline = time.monotonic() + max((service.stop_timeout_s for service in services), default=0) + 15
    while services:
        programs = Supervisor(folders).programs()
        alive = [service.name for service in services if service.name in programs and programs[service.name].pid]
        alive = alive or [service.name for service in services if has_processes(folders, service.name)]
        if not alive:
            return
        if time.monotonic() > deadline:
            raise StopFailedError(f"still running: {', '.join(alive)}; see `tidemill status`")
        time.sleep(POLL_S)


def _stop_supervisor(folders: Folders) -> None:
    supervisor = Supervisor(folders)
    if supervisor.is_alive():
        supervisor.shutdown()
        wait_gone(leftovers(folders), SUPERVISOR_STOP_S)
    end_leftovers(folders)
    folders.remove_socket()
