"""A fix: the function ``fix`` of a Python file, which makes an event of a message that was none."""

import hashlib
import importlib.util
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from data_lake.quarantine.origin import Headers
from tidemill.config.errors import TerminalError

Function = Callable[[bytes | None, bytes | None, Headers], Any]
SIGNATURE = "def fix(value, key, headers)"


class FixFileError(TerminalError):
    """A file that has no usable fix."""


class FixFailedError(TerminalError):
    """The fix did not do what it must with a message: an error of the fix, not of the message."""


@dataclass(frozen=True)
class Fix:
    """The function, and the file with a digest of its content, which is put on record."""

    file: str
    digest: str
    function: Function

    @classmethod
    def read(cls, path: Path) -> Self:
        """The fix in the file ``path``.

        Raises:
            FixFileError: it cannot be read or run, or has no function ``fix``.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FixFileError(f"{path} cannot be read: {error.strerror}") from error
        function = getattr(_module(path), "fix", None)
        if not callable(function):
            raise FixFileError(f"{path} has no function fix: write `{SIGNATURE}`, which gives a CloudEvent or None")
        return cls(path.name, hashlib.sha256(content).hexdigest(), function)

    @property
    def name(self) -> str:
        """As the record has it."""
        return f"{self.file} sha256:{self.digest}"

    def event(self, value: bytes | None, key: bytes | None, headers: Headers) -> dict[str, Any] | None:
        """The event that the fix makes of a message; None where it leaves the message in quarantine.

        Raises:
            FixFailedError: it raised, or gave what is no event.
        """
        try:
            made = self.function(value, key, headers)
        except (Exception, SystemExit) as error:
            raise FixFailedError(f"raised {_told(error, self.file)}") from error
        if made is None:
            return None
        if not isinstance(made, Mapping):
            raise FixFailedError(f"gave {made!r:.100}, a {type(made).__name__}: give the event as a dict, or None")
        return dict(made)


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("tidemill_quarantine_fix", path)
    if spec is None or spec.loader is None:
        raise FixFileError(f"{path} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise FixFileError(f"{path} cannot be run: {_told(error, path.name)}") from error
    return module


def _told(error: BaseException, file: str) -> str:
    """``error``, and the line of ``file`` in which it arose."""
    what = traceback.format_exception_only(error)[-1].strip()
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == file]
    return f"{what} (line {lines[-1]})" if lines else what
