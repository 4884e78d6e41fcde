"""Files of a partner who counts stock: rows whose events are known, and bad ones on lines that are known."""

import csv
from collections.abc import Iterator
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


def rows(count: int) -> Iterator[tuple[dict[str, str], str | None]]:
    """The rows, each with the reason it is rejected for: every hundredth is bad, in turn in each way."""
    for number in range(count):
        made = row(number)
        if (number + 1) % BAD_EVERY:
            yield made, None
            continue
        column, cell, reason = BAD[(number // BAD_EVERY) % len(BAD)]
        yield made | {column: cell}, reason


def write_csv(path: Path, count: int) -> dict[int, str]:
    """Write ``count`` rows; the lines of the bad ones, as an editor counts them, each with its reason."""
    bad = {}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        for line, (made, reason) in enumerate(rows(count), 2):
            writer.writerow(made)
            if reason is not None:
                bad[line] = reason
    return bad


def told(data: dict[str, Any]) -> tuple[Any, ...]:
    """What an event says, to be held against :func:`expected`."""
    return tuple(data.get(name) for name in ("product_id", "location_id", "on_hand", "reserved", "currency"))


def expected(number: int) -> tuple[Any, ...]:
    reserved = None if number % 3 else number % 5
    return (f"P{number}", f"W{number % 7}", number % 1_000, reserved, "GBP")
