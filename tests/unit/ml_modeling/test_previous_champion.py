import pytest

from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.promotion import previous_champion


def trail(*changes):
    """``"promote 2"``, ``"rollback 1"``, ``"observed -"``, and ``"promote 3 abandoned"``."""
    records, before = [], None
    for change in changes:
        action, to, *state = change.split()
        version = None if to == "-" else to
        records.append(
            AuditRecord(
                action=action,
                state=state[0] if state else "completed",
                use_case="churn",
                from_version=before,
                to_version=version,
                who="ada",
                reason="test",
            )
        )
        before = before if state else version
    return records


@pytest.mark.parametrize(
    ("changes", "current", "expected"),
    [
        ([], None, None),
        (["promote 1"], "1", None),
        (["promote 1", "promote 2"], "2", "1"),
        (["promote 1", "promote 2", "promote 3", "rollback 2"], "2", "1"),
        (["promote 1", "promote 2", "rollback 1", "promote 3"], "3", "1"),
        (["promote 1", "promote 2", "promote 3 abandoned"], "2", "1"),
        (["promote 1", "promote 2", "observed -"], None, "2"),
        (["promote 1", "observed 5", "promote 6"], "6", "5"),
        (["promote 1", "promote 2", "promote 1"], "1", "2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_rollback_goes_to_the_champion_before(changes, current, expected):
    assert previous_champion(trail(*changes), current) == expected
