"""All of a list that a server hands out in pages."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Place = TypeVar("Place")


def all_pages(read: Callable[[Place | None], tuple[Sequence[Item], Place | None]]) -> Iterator[Item]:
    """Every item: ``read`` gives the page at a place and the place of the next; None is the first and past the last."""
    place: Place | None = None
    while True:
        items, place = read(place)
        yield from items
        if place is None:
            return
