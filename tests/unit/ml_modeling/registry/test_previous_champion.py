from datetime import UTC, datetime, timedelta

import pytest

from ml_modeling.registry.audit import AuditRecord
from ml_modeling.registry.identity import ModelIdentity
from ml_modeling.registry.promotion import previous_champions
from ml_modeling.registry.versions import Version

MADE = datetime(2026, 1, 5, tzinfo=UTC)


def model(number):
    return ModelIdentity(run_id=f"run {number}", model_id=f"m-{number}")


def version(number, of=None):
    """Version ``number`` as the registry has it now, which is model ``of``."""
    which = model(of or number)
    return Version(
        name="churn",
        version=number,
        aliases=(),
        run_id=which.run_id,
        model_id=which.model_id,
        digest="",
        passed_gates=True,
        created_at=MADE,
        metrics={},
    )


def record(to, **fields):
    written = {"action": "promote", "use_case": "churn", "from_version": None, "who": "ada", "reason": "test"}
    return AuditRecord(**written | {"to_version": to} | fields)


def trail(*changes):
    """``"promote 2"``, ``"rollback 1"``, ``"observed -"``, and ``"promote 3 abandoned"``."""
    for change in changes:
        action, to, *state = change.split()
        fields = {"action": action, "state": state[0] if state else "completed"}
        yield record(None, **fields) if to == "-" else record(to, to_model=model(to), **fields)


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
        (["promote 1", "promote 2", "retire -"], None, "2"),
        (["promote 1", "observed 5", "promote 6"], "6", "5"),
        (["promote 1", "promote 2", "promote 1"], "1", "2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_a_rollback_goes_to_the_champion_before(changes, current, expected):
    now = version(current) if current else None
    before = [record.to_version for record in previous_champions(list(trail(*changes))) if not record.is_of(now)]
    assert next(iter(before), None) == expected


def test_a_rollback_knows_a_model_from_another_one_under_its_number():
    anew = record("1", to_model=model("1, made anew"), state="completed")
    before = previous_champions([*trail("promote 1", "promote 2"), anew])
    assert [found.to_model for found in before] == [model("1, made anew"), model("2"), model("1")]


@pytest.mark.parametrize(
    ("written", "now", "expected"),
    [
        (record("1", to_model=model("1")), version("1"), True),
        (record("1", to_model=model("1")), version("1", of="9"), False),
        (record("1", to_model=model("1")), version("2", of="1"), False),
        (record("1", to_model=model("1")), None, False),
        (record(None), None, True),
        (record(None), version("1"), False),
        (record("1", at=MADE + timedelta(days=1)), version("1"), True),
        (record("1", at=MADE - timedelta(days=1)), version("1"), False),
    ],
    ids=[
        "the same model",
        "another model under the number",
        "the model under another number",
        "no champion now",
        "none then and now",
        "none then",
        "before records named the model",
        "made after a record that names no model",
    ],
)
def test_a_record_is_of_a_model_and_not_of_a_number(written, now, expected):
    assert written.is_of(now) is expected
