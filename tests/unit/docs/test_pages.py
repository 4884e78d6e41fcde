"""The pages name only what exists: links, commands and make targets."""

import re
from pathlib import Path

import pytest

from tidemill.cli import COMMANDS

REPO = Path(__file__).resolve().parents[3]
PAGES = [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "use_cases").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_command_named_exists(page: Path) -> None:
    code = "\n".join(CODE.findall(page.read_text(encoding="utf-8")))
    targets = set(TARGET.findall((REPO / "Makefile").read_text(encoding="utf-8")))
    commands = re.findall(r"(?:^|[`$|(/ ])tidemill ([a-z]+)\b(?!\.)", code)
    made = re.findall(r"(?:^|[`$ ])make ([a-z][a-z-]*)", code, re.MULTILINE)
    assert [name for name in commands if name not in COMMANDS] == []
    assert [name for name in made if name not in targets] == []
