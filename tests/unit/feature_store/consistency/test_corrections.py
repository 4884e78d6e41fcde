"""The record of corrections: each once, whoever writes at the same time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feature_store.consistency.corrections import Correction, newest, record
from tidemill.config import load_settings

AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
CORRECTION = Correction(AT, "purchases", "f", "silver/transactions", "id", 7, "DELETE", 3, 1)


def test_a_batch_that_is_run_again_records_a_correction_once(tmp_path: Path) -> None:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    assert newest(settings, 10) == []
    record(settings, [CORRECTION])
    later = replace(CORRECTION, corrected_at=AT + timedelta(minutes=1))
    record(settings, [later, replace(later, version=8)])
    assert newest(settings, 10) == [replace(later, version=8), CORRECTION]
    assert newest(settings, 1) == [replace(later, version=8)]


def test_groups_that_record_at_the_same_time_all_do(tmp_path: Path) -> None:
    settings = load_settings({"TIDEMILL_HOME": str(tmp_path)})
    groups: Sequence[Correction] = [replace(CORRECTION, fingerprint=f"f{number}") for number in range(6)]
    with ThreadPoolExecutor(len(groups)) as pool:
        list(pool.map(lambda correction: record(settings, [correction]), groups))
    assert sorted(found.fingerprint for found in newest(settings, 10)) == [one.fingerprint for one in groups]
