"""The project that the loop runs in: made once, entered by the process that runs it."""

import os
import shutil
from pathlib import Path

from tidemill import environment
from tidemill.config.errors import TerminalError
from tidemill.config.origin import ENV_PREFIX
from tidemill.config.project import FILE, VARIABLE, current_project

TEMPLATE = Path(__file__).resolve().parent / "template"
USE_CASE = "card_fraud"


class LoopExistsError(TerminalError):
    """A loop was run in this folder."""


def make(root: Path) -> Path:
    """The project's folder, absolute, with the files of the template.

    Raises:
        LoopExistsError: something is there already: a loop begins with an empty lake.
    """
    root = root.expanduser().absolute()
    if (root / FILE).exists():
        raise LoopExistsError(
            f"{root} holds a loop that was run, and one begins with an empty lake: remove it with "
            f"`tidemill --project {root} down --purge && rm -r {root}`, or give --path another folder"
        )
    try:
        shutil.copytree(TEMPLATE, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    except OSError as error:
        raise LoopExistsError(f"{root} cannot be made ({error.strerror}): give --path another folder") from error
    return root


def enter(root: Path) -> None:
    """Makes ``root`` the project of this process and of those it starts."""
    os.environ[VARIABLE] = str(root)
    # A copy of the project, which a person makes in the end, works on this very home.
    os.environ.setdefault(f"{ENV_PREFIX}HOME", str(root / ".tidemill"))
    environment.enter()
    current_project.cache_clear()
