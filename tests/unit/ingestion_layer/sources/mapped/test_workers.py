"""Several processes judge as one does: the same messages and rejects, in the order of the file."""

from pathlib import Path

import pytest

from ingestion_layer.sources.mapped import workers
from ingestion_layer.sources.mapped.events import Judge
from ingestion_layer.sources.mapped.formats.choice import reader
from ingestion_layer.sources.mapped.mapping import mapping_called
from ingestion_layer.sources.mapped.workers import WorkerEndedError, judged_by
from tests.cases.inventory_files import write_csv


def test_the_order_and_the_judgement_are_those_of_one_process(tmp_path: Path) -> None:
    by = mapping_called("partner_inventory")
    write_csv(file := tmp_path / "stock.csv", 55_000)
    of = reader(file, by)
    judge = Judge(by, "d")
    alone = [(chunk.last, judge.judge(chunk)) for chunk in of.chunks(0)]
    together = [(chunk.last, judged) for chunk, judged in judged_by(2, by, "d", of.chunks(0))]
    assert together == alone
    assert len(alone) == 6


def test_a_process_that_was_killed_is_an_error_and_not_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by = mapping_called("partner_inventory")
    write_csv(file := tmp_path / "stock.csv", 1_000)
    monkeypatch.setattr(workers, "_work", abs)  # ends at once, since it takes one argument
    with pytest.raises(WorkerEndedError, match="run the command again"):
        list(judged_by(1, by, "d", reader(file, by).chunks(0)))
