"""The pages of reference say what the code says."""

from pathlib import Path

import pytest

from tidemill.reference import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_of_reference_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page](), "run `python -m tidemill.reference`"
