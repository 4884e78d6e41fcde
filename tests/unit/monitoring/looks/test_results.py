"""What a look has found comes out of the table as it went in, and is the state of the next."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from monitoring.drift import Aspect, Finding, Looks, Outcome, Verdict
from monitoring.looks.results import OvertakenError, commit, read_record
from tests.unit.monitoring.looks.looks import END, SUBJECT, look, verdict
from tidemill.config import Settings, load_settings

UNKNOWN = Verdict(Finding(None, Aspect.VOLUME, unknown="0 earlier windows"), Outcome.UNKNOWN, 0.0017)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def test_the_first_look_begins_with_no_state(settings: Settings) -> None:
    record = read_record(settings, SUBJECT, "any")
    assert (record.newest, record.same, record.looks) == (None, None, Looks())


def test_a_look_is_read_back_as_it_was_and_is_the_state_of_the_next(settings: Settings) -> None:
    made = look(verdict("age"), verdict("spend", is_drifted=False), UNKNOWN)
    commit(read_record(settings, SUBJECT, made.look_id), made)
    record = read_record(settings, SUBJECT, made.look_id)
    assert record.same == record.newest == made
    assert record.looks == Looks(END, {"age/distribution": END})


def test_an_older_look_is_found_beside_the_newest(settings: Settings) -> None:
    older = look(verdict("age"))
    window = replace(older.window, end=END + timedelta(hours=6))
    newer = replace(older, look_id="later", window=window, verdicts=(verdict("age", is_drifted=False),))
    for made in (older, newer):
        commit(read_record(settings, SUBJECT, made.look_id), made)
    record = read_record(settings, SUBJECT, older.look_id)
    assert (record.same, record.newest) == (older, newer)
    assert record.looks == Looks(window.end, {})


def test_of_two_that_read_the_same_state_one_commits(settings: Settings) -> None:
    first, second = (read_record(settings, SUBJECT, name) for name in ("a", "b"))
    commit(first, replace(look(verdict("age")), look_id="a"))
    with pytest.raises(OvertakenError, match="version 3 of 'churn'"):
        commit(second, replace(look(verdict("age")), look_id="b"))
    newest = read_record(settings, SUBJECT, "b").newest
    assert newest is not None
    assert newest.look_id == "a"


def test_looks_at_other_models_are_no_obstacle_and_no_state(settings: Settings) -> None:
    other = replace(SUBJECT, identity=SUBJECT.identity.model_copy(update={"model_id": "m-2"}))
    first, second = read_record(settings, SUBJECT, "a"), read_record(settings, other, "b")
    commit(first, replace(look(verdict("age")), look_id="a"))
    commit(second, replace(look(verdict("spend")), look_id="b"))
    newest = read_record(settings, other, "a").newest
    assert newest is not None
    assert newest.look_id == "b"
