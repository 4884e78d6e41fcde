"""A command runs in the environment that the stack's processes have, plus what concerns the terminal."""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from tidemill.config.environment import process_environment
from tidemill.config.project import VARIABLE, find_project
from tidemill.config.settings import ConfigError, Settings, load_with_origin
from tidemill.stack.folders import Folders
from tidemill.stack.supervision.temporary import TEMPORARY

TERMINAL = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")


def enter() -> None:
    """Leave out of this process's environment, and so of its children's, what the platform's processes do not get."""
    with suppress(ConfigError):  # the command says so itself, if it needs the settings
        # What was found from here is told to children, which may run elsewhere.
        os.environ[VARIABLE] = str(find_project(os.environ) or "")
        settings, _ = load_with_origin(choose_ports=False)
        terminal = {name: os.environ[name] for name in TERMINAL if name in os.environ}
        environment = terminal | process_environment(settings, os.environ)
        os.environ.clear()
        os.environ.update(environment)
        _keep_temporary_files_below(settings)


def _keep_temporary_files_below(settings: Settings) -> None:
    """In a folder of this process, removed when it ends; where there is no home folder to write to, they stay away."""
    folders = Folders.of(settings)
    is_given = Path(os.environ.get(TEMPORARY, "")).is_relative_to(folders.temporary(""))
    if is_given or not folders.marker.exists():
        return
    folder = folders.temporary(str(os.getpid()))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return
    os.environ[TEMPORARY] = str(folder)
    tempfile.tempdir = None
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
