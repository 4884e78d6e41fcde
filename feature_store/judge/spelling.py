"""How names and constants of definitions are written in SQL."""

from collections.abc import Sequence

from feature_store.definitions.filters import Scalar


def name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"CAST('{value!r}' AS DOUBLE)"


def literals(values: Sequence[Scalar]) -> str:
    return ", ".join(literal(value) for value in values)


def column(of: str) -> str:
    """What a column of silver is called among the events."""
    return name(f"c:{of}")
