"""Tables for people: each cell is printed as it was typed, and in a pipe nothing of it is cut.

Rich reads a string as markup, `[ops-123]` as a style and `:100:` as an emoji, so that all text goes to it as ``Text``.
"""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNBOUNDED = 1_000_000
"""The width of a pipe, in characters: a table takes what it needs of it."""
Cell = str | Text
"""A text is styled by whoever makes it."""


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "", *, has_head: bool = True) -> Table:
    """A table of ``rows``; a cell too wide for the terminal goes on in the next line."""
    made = Table(title=Text(title) if title else None, title_justify="left", show_header=has_head)
    for column in columns:
        made.add_column(Text(column), overflow="fold")
    for row in rows:
        made.add_row(*(as_typed(cell) for cell in row))
    return made


def as_typed(cell: Cell) -> Text:
    return cell if isinstance(cell, Text) else Text(cell)


def print_table(made: Table) -> None:
    """Print on stdout, within the terminal's width where there is one."""
    console = Console()
    if not console.is_terminal:
        console.width = UNBOUNDED
    console.print(made)
