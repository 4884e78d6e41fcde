"""Files that no broker is asked about: they cannot be taken at all."""

from pathlib import Path

import pytest

from ingestion_layer.nifi.publishing import REJECTED, _outcome, publish
from tidemill.config import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path / "home")})


CASES = {
    "mapping": ("partner_stock", "a.csv", b"product_id\n", "no mapping 'partner_stock'"),
    "column": ("partner_inventory", "a.csv", b"product_id\nP1\n", "has no column 'location_id'"),
    "encoding": ("partner_inventory", "a.csv", b"product_id,\xff\n", "is not utf-8"),
    "format": ("partner_inventory", "a.png", b"", "its name ends with none of"),
    "gone": ("partner_inventory", "gone.csv", None, "does not exist"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_cannot_be_taken_is_rejected_with_the_reason(settings: Settings, tmp_path: Path, case: str) -> None:
    mapping, name, text, reason = CASES[case]
    if text is not None:
        (tmp_path / f"4711.{name}").write_bytes(text)
    outcome = publish(settings, mapping, tmp_path / f"4711.{name}", name)
    assert (outcome.relationship, outcome.attributes["folder"]) == (REJECTED, "rejected")
    assert reason in outcome.attributes["reason"]
    assert str(tmp_path) not in outcome.attributes["reason"]
    assert "4711" not in outcome.attributes["reason"]


def test_a_file_goes_on_by_how_many_of_its_rows_are_events() -> None:
    rejects = Path("/home/rejected/stock.jsonl")
    ways = [_outcome(rows, events, rejects) for rows, events in ((3, 3), (3, 2), (3, 0), (0, 0))]
    assert [outcome.relationship for outcome in ways] == ["success", "partial", "rejected", "success"]
    assert [outcome.attributes["folder"] for outcome in ways] == ["done", "done", "rejected", "done"]
    assert ["rejects.file" in outcome.attributes for outcome in ways] == [False, True, True, False]
