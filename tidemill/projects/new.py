"""Making a project: its files from the template, never over a file that is there."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tidemill.config.errors import TerminalError
from tidemill.config.project import FILE

TEMPLATE = Path(__file__).resolve().parent / "template"
PLACES = {"gitignore": ".gitignore", "github/workflows/check.yml": ".github/workflows/check.yml"}
"""Names in the template that are other ones in a project: in the platform's repository they would mean something."""
GENERATED = "__pycache__"


class ProjectExistsError(TerminalError):
    """Where the project should be, something is."""


def new(path: Path) -> list[Path]:
    """The files of the project made in ``path``, a folder that is empty or not there yet.

    Raises:
        ProjectExistsError: it has files, or is no folder.
    """
    root = path.expanduser().absolute()
    try:
        is_empty = not any(root.iterdir())
    except FileNotFoundError:
        is_empty = True
    except NotADirectoryError:
        raise ProjectExistsError(f"{root} is a file: give the name of a new folder") from None
    if not is_empty:
        what = f"is a project already ({FILE})" if (root / FILE).exists() else "has files"
        raise ProjectExistsError(f"{root} {what}, and nothing is written over: give the name of a new folder")
    return list(_write(root))


def project_name(folder: str) -> str:
    """``folder`` as the name of a project: lower case, with single hyphens between words."""
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:64].rstrip("-") or "project"


def _write(root: Path) -> Iterator[Path]:
    values = {"{{name}}": project_name(root.name), "{{version}}": _version()}
    for source in sorted(TEMPLATE.rglob("*")):
        if source.is_dir() or GENERATED in source.parts:
            continue
        place = source.relative_to(TEMPLATE).as_posix()
        target = root / PLACES.get(place, place)
        text = source.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(name, value)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
        yield target


def _version() -> str:
    try:
        return version("tidemill")
    except PackageNotFoundError:
        return "0.1.0"
