"""The table that states are made from is restored, made again, or grows past where it was: they are not believed."""

import pytest

from feature_store.stream.keeping import LakeWentBackError
from feature_store.tiles import Status
from tests.integration.feature_store.stream.kept_states import (
    HOUR,
    PURCHASES_COUNT,
    SECOND,
    Kept,
    applied_more,
    now,
    statuses,
)


def test_a_table_that_went_back_or_was_made_again_has_its_states_made_anew(kept: Kept) -> None:
    applied_more(kept)
    assert not kept.keeper.has_other_table()
    kept.lake.versions.pop()
    assert kept.keeper.has_other_table()
    kept.restart()
    (row,) = kept.read(["c0"])
    assert (row.status["purchases"], row.values[PURCHASES_COUNT]) == (Status.OK, 1)
    kept.lake.name, kept.lake.versions = "another", [()]
    assert kept.keeper.has_other_table()
    kept.restart()
    assert statuses(kept, "c0", "c1") == [Status.NO_STATE] * 2


def test_a_table_that_went_back_and_grew_past_where_it_was_has_its_states_made_anew(kept: Kept) -> None:
    applied_more(kept)
    kept.lake.versions.pop()
    for number in range(3):
        kept.arrive([("c1", now() - HOUR - number)])
    assert kept.keeper.has_other_table()
    with pytest.raises(LakeWentBackError, match="version 2 of the table that the states of purchases are made from"):
        kept.apply()
    kept.restart()
    kept.apply()
    rows = kept.read(["c0", "c1"])
    assert [row.status["purchases"] for row in rows] == [Status.OK] * 2
    assert [row.values[PURCHASES_COUNT] for row in rows] == [1, 4]


def test_a_table_that_goes_back_and_grows_in_the_middle_of_a_batch_is_not_believed(kept: Kept) -> None:
    def grow(step: str) -> None:
        if step == "half":
            kept.lake.versions[1:] = []
            for number in range(3):
                kept.arrive([("c2", now() - HOUR - number)])

    kept.arrive([("c0", now() - SECOND)])
    with pytest.raises(LakeWentBackError):
        kept.apply(meanwhile=grow)
    kept.restart()
    kept.apply()
    assert statuses(kept, "c0", "c2") == [Status.NO_STATE, Status.OK]
    assert kept.read(["c2"])[0].values[PURCHASES_COUNT] == 3


def test_a_log_that_no_longer_has_the_commit_of_the_states_says_nothing_against_them(kept: Kept) -> None:
    kept.lake.oldest = kept.lake.version() + 1
    epoch = kept.applied().epoch  # type: ignore[union-attr]
    applied_more(kept)
    kept.restart()
    assert not kept.keeper.has_other_table()
    assert kept.applied().epoch == epoch  # type: ignore[union-attr]
    assert statuses(kept, "c0", "c1") == [Status.OK] * 2
