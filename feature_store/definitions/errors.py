"""A wrong definition, and the check of names that all definitions share."""

import re

from tidemill.config.errors import TerminalError

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class DefinitionError(TerminalError):
    """A definition that means nothing; the message names the field."""


def check_name(field: str, name: str) -> None:
    """A name of ours: lower case with single underscores, since a double one separates group and feature."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DefinitionError(f"{field}: {name!r} is no name of lower-case words joined by single underscores")


def check_column(field: str, name: str) -> None:
    """A name of somebody else's: a column of a table."""
    if not isinstance(name, str) or not name.isidentifier():
        raise DefinitionError(f"{field}: {name!r} is no column name")
