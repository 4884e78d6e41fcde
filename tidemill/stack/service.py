"""What a service of the local stack is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tidemill.config.errors import TerminalError, TransientError
from tidemill.stack.supervision.temporary import TEMPORARY


class MissingPrerequisiteError(TerminalError):
    """A program, an environment or a folder of jars that a service needs is not there."""


class NotReadyError(TransientError):
    """The service does not answer as it should yet; the message says what it answered."""


@dataclass(frozen=True)
class Endpoint:
    """An address a service listens on, and the setting that moves it."""

    host: str
    port: int
    setting: str

    @property
    def is_local(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Launch:
    """A command, the variables it gets on top of those every process gets, and the configuration files it reads."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def with_temporary(self, folder: Path) -> "Launch":
        """The same, its temporary files in ``folder``."""
        return replace(self, environment={**self.environment, TEMPORARY: str(folder)})

    def write_files(self) -> None:
        """Writes the files, for their owner's eyes only: they may hold a password."""
        for name, text in self.files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")


Run = Callable[[Launch], None]
"""Runs a command to its end, its output going to the service's log; raises when it fails."""


def no_setup(_run: Run) -> None:
    """For a service that needs nothing done before its first start."""


def no_completion() -> None:
    """For a service that is of use as soon as it is ready."""


def no_trouble() -> str:
    """For a service that works or does not, and nothing in between."""
    return ""


@dataclass(frozen=True)
class Service:
    """A server of the stack.

    ``launch`` says how to start it, and raises :class:`MissingPrerequisiteError`. ``setup`` does, with the runner it
    is given, what must have succeeded before the first start. ``probe`` gets the time the service was started at
    (seconds since the epoch) and raises :class:`NotReadyError` until the service does its work. ``complete`` gives
    one that runs what only a running one takes, and raises the same until it has it. ``trouble`` says which part of one
    that does its work is not working. An optional one is started only when it is named, or another needs it.
    """

    name: str
    title: str
    address: str
    launch: Callable[[], Launch]
    probe: Callable[[float], None]
    endpoints: tuple[Endpoint, ...] = ()
    after: tuple[str, ...] = ()
    setup: Callable[[Run], None] = no_setup
    complete: Callable[[], None] = no_completion
    trouble: Callable[[], str] = no_trouble
    is_optional: bool = False
    ready_timeout_s: float = 180
    stop_timeout_s: float = 20

    @property
    def is_local(self) -> bool:
        """Whether this machine is where the settings say the service runs."""
        return all(endpoint.is_local for endpoint in self.endpoints)
