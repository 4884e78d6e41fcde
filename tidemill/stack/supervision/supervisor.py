"""Talking to supervisord over its socket."""

import http.client
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.config.errors import TerminalError, TransientError
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.unix_rpc import call

# supervisor.xmlrpc.Faults
ALREADY_STARTED = 60
NOT_RUNNING = 70
RUNNING = {"STARTING", "RUNNING"}
ALIVE = RUNNING | {"BACKOFF", "STOPPING"}


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
        """Read the configuration file again and replace the programs it changed; what ran of them is started again."""
        ran = {name for name, program in self.programs().items() if program.state in RUNNING | {"BACKOFF"}}
        ((added, changed, removed),) = self._call("reloadConfig")
        for name in removed:
            self._remove(name)
        for name in changed:
            self._remove(name)
            self._call("addProcessGroup", name)
            if name in ran:
                self.start(name)
        for name in added:
            self._call("addProcessGroup", name)

    def _remove(self, name: str) -> None:
        self._call("stopProcessGroup", name)
        self._call("removeProcessGroup", name)

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
