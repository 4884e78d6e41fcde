"""Runs the commands the pages show (``console`` blocks, lines after ``$``) against the stack a demo left running.

In the order of the pages. What stands on several pages is run once. Blocks ``console project`` are another test's:
tests/e2e/test_project.py.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from tidemill.config.errors import TransientError

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+#.*$")
HERE_DOCUMENT = re.compile(r"<<'(\w+)'$")
OPTIONAL = ("kcat",)
"""Programs that not every machine has: what needs one that is missing is skipped."""
TRIES, PAUSE_S = 3, 10
"""What ends by saying that trying again may help is tried again: Airflow may be writing the same table."""


def _commands() -> Iterator[tuple[str, str]]:
    """Each command with its page, but for what an earlier page shows."""
    shown: set[str] = set()
    for page in PAGES:
        of_page = _commands_of(page.read_text(encoding="utf-8"))
        yield from ((page.name, command) for command in of_page if command not in shown)
        shown.update(of_page)


def _commands_of(text: str) -> list[str]:
    return [command for block in BLOCK.findall(text) for command in _commands_in(block)]


def _commands_in(block: str) -> Iterator[str]:
    """What stands after each ``$``, with its continuation lines or its here-document."""
    lines = iter(block.replace("\\\n", " ").splitlines())
    for line in lines:
        if not line.startswith("$ "):
            continue
        command = COMMENT.sub("", line.removeprefix("$ "))
        if here := HERE_DOCUMENT.search(command):
            command = "\n".join([command, *takewhile(here[1].__ne__, lines), here[1]])
        yield command


def _missing(command: str) -> str | None:
    """The optional program that ``command`` speaks of, and that is not here."""
    return next((name for name in OPTIONAL if re.search(rf"\b{name}\b", command) and not shutil.which(name)), None)


@pytest.mark.parametrize(("page", "command"), _commands(), ids=lambda value: value[:60])
def test_a_command_of_the_docs_works_as_written(page: str, command: str) -> None:
    if missing := _missing(command):
        pytest.skip(f"no {missing} here: `make bootstrap` installs it")
    for _ in range(TRIES):
        done = _run(command)
        if done.returncode != TransientError.exit_status:
            break
        time.sleep(PAUSE_S)
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def _run(command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PATH": f"{REPO / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_pages_show_commands() -> None:
    assert len(list(_commands())) >= 5
