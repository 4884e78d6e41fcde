"""Files of a partner who counts stock: rows whose events are known, and bad ones on lines that are known."""

import csv
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

HEADER = ("product_id", "location_id", "on_hand", "reserved", "unit_cost", "currency", "counted_at")
TOPIC = "shop.inventory.v1"
BAD_EVERY = 100
BAD = (
    ("on_hand", "many", "unreadable"),
    ("on_hand", "-1", "schema"),
    ("unit_cost", "0.12345", "unrepresentable"),
    ("counted_at", "yesterday", "unreadable"),
    ("product_id", "", "missing"),
)
"""Which column is spoilt with what, and the reason of the reject."""


def row(number: int) -> dict[str, str]:
    """Row ``number``, from 0: the values follow from it."""
    return {
        "product_id": f"P{number}",
        "location_id": f"W{number % 7}",
        "on_hand": str(number % 1_000),
        "reserved": "" if number % 3 else str(number % 5),
        "unit_cost": f"{number % 89}.{number % 10_000:04d}",
        "currency": "GBP",
        "counted_at": f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:30:00",
    }


def is_hundredth(number: int) -> bool:
    return not (number + 1) % BAD_EVERY


def rows(
    count: int, first: int = 0, is_bad: Callable[[int], bool] = is_hundredth
) -> Iterator[tuple[dict[str, str], str | None]]:
    """``count`` rows from ``first``, each with the reason it is rejected for: bad ones are bad in turn in each way."""
    spoilt = 0
    for number in range(first, first + count):
        made = row(number)
        if not is_bad(number):
            yield made, None
            continue
        column, cell, reason = BAD[spoilt % len(BAD)]
        spoilt += 1
        yield made | {column: cell}, reason


def write_csv(path: Path, count: int, first: int = 0, is_bad: Callable[[int], bool] = is_hundredth) -> dict[int, str]:
    """Write :func:`rows`; the lines of the bad ones, as an editor counts them, each with its reason."""
    bad = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        for line, (made, reason) in enumerate(rows(count, first, is_bad), 2):
            writer.writerow(made)
            if reason is not None:
                bad[line] = reason
    return bad


def good_rows(count: int, bad: Container[int], first: int = 0) -> list[int]:
    """The numbers of the rows that :func:`write_csv` wrote to other lines than the ``bad`` ones."""
    return [number for line, number in enumerate(range(first, first + count), 2) if line not in bad]


def told(data: dict[str, Any]) -> tuple[Any, ...]:
    """What an event says, to be held against :func:`expected`."""
    return tuple(data.get(name) for name in ("product_id", "location_id", "on_hand", "reserved", "currency"))


def expected(number: int) -> tuple[Any, ...]:
    reserved = None if number % 3 else number % 5
    return (f"P{number}", f"W{number % 7}", number % 1_000, reserved, "GBP")
