import pytest

from tidemill.config.paging import all_pages


@pytest.mark.parametrize("count", [0, 1, 3, 4, 100])
def test_every_item_comes_once_and_in_order_however_many_pages_there_are(count: int) -> None:
    items = list(range(count))

    def read(place: int | None) -> tuple[list[int], int | None]:
        first = place or 0
        return items[first : first + 3], first + 3 if first + 3 < count else None

    assert list(all_pages(read)) == items


def test_an_empty_page_in_between_is_not_the_end() -> None:
    pages: dict[str | None, tuple[list[int], str | None]] = {None: ([1], "b"), "b": ([], "c"), "c": ([2], None)}

    assert list(all_pages(lambda place: pages[place])) == [1, 2]
