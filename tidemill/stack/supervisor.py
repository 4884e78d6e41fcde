"""supervisord: its configuration, its start, and talking to it over its socket."""

import http.client
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from config.errors import TerminalError, TransientError
from tidemill.stack.folders import Folders
from tidemill.stack.launch import record_path
from tidemill.stack.logs import last_lines
from tidemill.stack.processes import MARKER, Record, end, group, marked, tree
from tidemill.stack.service import Service
from tidemill.stack.unix_rpc import call

# supervisor.xmlrpc.Faults
ALREADY_STARTED = 60
NOT_RUNNING = 70

START_TIMEOUT_S = 30.0
GRACE_S = 30.0

DAEMON = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
nodaemon=true
silent=true
directory={home}
pidfile={pid}
logfile={log}
logfile_maxbytes=5MB
logfile_backups=2
identifier=tidemill
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
priority={priority}
autostart=false
autorestart=true
startsecs=2
startretries=20
stopsignal=TERM
stopwaitsecs={stop_timeout:.0f}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
"""


class SupervisorError(TerminalError):
    """supervisord did not start, or refused a request."""


class SupervisorAwayError(TransientError):
    """supervisord does not answer."""


@dataclass(frozen=True)
class Program:
    """A service as supervisord sees it; ``state`` is one of its names, such as RUNNING or BACKOFF."""

    name: str
    state: str
    pid: int
    exit_status: int
    spawn_error: str


def render_config(services: Sequence[Service], folders: Folders) -> str:
    """The text of supervisord's configuration; the services in the order in which they start.

    The services' logs are relative to the home folder, where it must run: it expands a ``%`` in them twice.
    """
    user = "user=root\n" if os.getuid() == 0 else ""
    text = DAEMON.format(
        socket=_literal(folders.socket),
        home=_literal(folders.home),
        pid=_literal(folders.supervisor_pid),
        log=_literal(folders.log("supervisor")),
        user=user,
    )
    for position, service in enumerate(services, start=1):
        command = shlex.join([sys.executable, "-m", "tidemill.stack.launch", str(folders.launch_file(service.name))])
        text += PROGRAM.format(
            name=service.name,
            command=_literal(command),
            priority=position,
            stop_timeout=service.stop_timeout_s,
            log=folders.log(service.name).relative_to(folders.home),
        )
    return text


def _literal(value: object) -> str:
    return str(value).replace("%", "%%")


class Supervisor:
    """A client of the supervisord of one home folder; usable from several threads."""

    def __init__(self, folders: Folders) -> None:
        self._socket = folders.socket

    def is_alive(self) -> bool:
        try:
            self._call("getState", timeout_s=5)
        except SupervisorAwayError:
            return False
        return True

    def programs(self) -> dict[str, Program]:
        """Every service it knows; none when it does not run."""
        if not self.is_alive():
            return {}
        return {info["name"]: _program(info) for info in self._call("getAllProcessInfo")}

    def program(self, name: str) -> Program:
        """The service ``name``.

        Raises:
            SupervisorAwayError: it does not run.
        """
        return _program(self._call("getProcessInfo", name))

    def start(self, name: str) -> None:
        """Start a service, unless it runs; does not wait for it."""
        self._call("startProcess", name, False, unless=ALREADY_STARTED)

    def stop(self, name: str) -> None:
        """Tell a service to stop, unless it does not run; does not wait for it."""
        self._call("stopProcess", name, False, unless=NOT_RUNNING)

    def reload(self) -> None:
        """Read the configuration file again and replace the programs it changed."""
        ((added, changed, removed),) = self._call("reloadConfig")
        for name in (*changed, *removed):
            self._call("stopProcessGroup", name)
            self._call("removeProcessGroup", name)
        for name in (*added, *changed):
            self._call("addProcessGroup", name)

    def shutdown(self) -> None:
        self._call("shutdown")

    def _call(self, method: str, *arguments: object, timeout_s: float = 120, unless: int | None = None) -> Any:
        try:
            return call(self._socket, f"supervisor.{method}", arguments, timeout_s)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == unless:
                return None
            raise SupervisorError(f"supervisord refused {method}{arguments}: {fault.faultString}") from fault
        except (OSError, http.client.HTTPException) as error:
            raise SupervisorAwayError(
                f"supervisord does not answer at {self._socket} ({error}): run `tidemill up`"
            ) from error


def _program(info: Mapping[str, Any]) -> Program:
    return Program(info["name"], info["statename"], info["pid"], info["exitstatus"], info["spawnerr"])


def ensure_supervisor(services: Sequence[Service], folders: Folders) -> Supervisor:
    """The supervisord of the home folder, with the configuration of ``services``.

    When it is gone, what it left running is ended first: a second broker on the same files would damage them.
    """
    supervisor = Supervisor(folders)
    config = render_config(services, folders)
    is_same = folders.supervisor_config.exists() and folders.supervisor_config.read_text(encoding="utf-8") == config
    folders.supervisor_config.write_text(config, encoding="utf-8")
    if not supervisor.is_alive():
        end_leftovers(folders)
        _start(supervisor, folders)
    elif not is_same:
        supervisor.reload()
    return supervisor


def records(folders: Folders) -> list[Record]:
    """The recorded processes of the stack, supervisord among them."""
    found = [Record.read(path) for path in sorted(folders.run.glob("*.pid.json"))]
    return [record for record in found if record is not None]


def leftovers(folders: Folders) -> list[psutil.Process]:
    """The living processes of the stack, each verified by its start time or its inherited marker."""
    found = set(marked(f"{folders.run}{os.sep}"))
    for record in records(folders):
        process = record.process()
        found.update(tree(process) if process else [])
        found.update(group(record))
    return list(found)


def end_leftovers(folders: Folders) -> None:
    """End what supervisord left running, and forget it."""
    end(leftovers(folders), GRACE_S)
    for path in folders.run.glob("*.pid.json"):
        path.unlink()


def _start(supervisor: Supervisor, folders: Folders) -> None:
    log = folders.log("supervisor")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(folders.supervisor_config)],
            cwd=folders.home,
            env={name: value for name, value in os.environ.items() if name != MARKER},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    Record(process.pid, psutil.Process(process.pid).create_time()).write(folders.supervisor_record)
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if supervisor.is_alive():
            return
        time.sleep(0.1)
    raise SupervisorError(f"supervisord did not start; the log {log} ends with:\n{last_lines(log)}")


def service_record(folders: Folders, name: str) -> Record | None:
    """The last start of the service ``name``."""
    return Record.read(record_path(folders.launch_file(name)))
