"""The pages name only what exists: links, headings, commands, make targets; and all contracts and optional services."""

import re
from pathlib import Path

import pytest

from tidemill.cli import COMMANDS
from tidemill.config import load_settings
from tidemill.contracts import contracts
from tidemill.stack.catalog import catalog

REPO = Path(__file__).resolve().parents[3]
PAGES = [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "use_cases").rglob("*.md")]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)")
ANCHOR = re.compile(r"\]\((?!https?://|mailto:)([^)#]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
BAR = re.compile(r"(?<!\\)\|")


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


def _anchors(page: Path) -> set[str]:
    """The places of ``page`` that a link may name, as GitHub makes them of its headings."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    links = ANCHOR.findall(page.read_text(encoding="utf-8"))
    broken = [f"{to}#{name}" for to, name in links if name not in _anchors(page.parent / to if to else page)]
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_each_row_of_a_table_has_as_many_cells_as_its_head(page: Path) -> None:
    """A bar ends a cell also within backticks: GitHub drops what is beyond the cells of the head."""
    tables = (table.splitlines() for table in TABLE.findall(FENCED.sub("", page.read_text(encoding="utf-8"))))
    assert [row for head, *rows in tables for row in rows if len(BAR.findall(row)) != len(BAR.findall(head))] == []


def test_the_page_on_contracts_has_a_row_for_each_topic() -> None:
    table = (REPO / "docs" / "contracts.md").read_text(encoding="utf-8")
    assert [topic for topic in contracts() if f"\n| `{topic}` |" not in table] == []


def test_the_readme_says_how_each_optional_service_is_started() -> None:
    optional = {name.partition("-")[0] for name, service in catalog(load_settings({})).items() if service.is_optional}
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    assert [name for name in optional if f"\n| `tidemill up {name}` |" not in readme] == []
