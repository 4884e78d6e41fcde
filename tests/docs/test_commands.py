"""Runs the commands the pages show (``console`` blocks, lines after ``$``) against the stack a demo left running.

What stands on several pages is run once. Blocks ``console project`` are another test's: tests/e2e/test_project.py.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


COMMENT = re.compile(r"\s+#.*$")


def _commands() -> list[tuple[str, str]]:
    """Each command, with the first page that shows it."""
    pages: dict[str, str] = {}
    for page in PAGES:
        for block in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("$ "):
                    pages.setdefault(COMMENT.sub("", line.removeprefix("$ ")), page.name)
    return [(page, command) for command, page in pages.items()]


@pytest.mark.parametrize(("page", "command"), _commands(), ids=lambda value: value[:60])
def test_a_command_of_the_docs_works_as_written(page: str, command: str) -> None:
    environment = os.environ | {"PATH": f"{REPO / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def test_the_pages_show_commands() -> None:
    assert len(_commands()) >= 5
