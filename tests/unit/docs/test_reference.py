"""The pages of reference say what the code says."""

from pathlib import Path

import pytest

from tidemill.config.secrets import NAMES
from tidemill.reference import PAGES, configuration_page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_of_reference_is_up_to_date(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == PAGES[page](), "run `python -m tidemill.reference`"


def test_the_page_on_configuration_names_every_secret() -> None:
    page = configuration_page()
    assert [name for name in NAMES if f"\n| `{name}` |" not in page] == []
