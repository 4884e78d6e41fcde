"""Offsets that bronze lacks: of no message, missing, gone from the broker, or given up on record."""

from dataclasses import replace
from typing import Any

from tests.unit.data_lake.lakes import Bronze, Lake, report, without


def with_gaps(**changes: Any) -> Lake:
    """Partition 0 ends with an aborted message at 4, its marker at 5, a committed message at 6, its marker at 7."""
    more: Bronze = (0, 6, None, "d")
    gaps = frozenset({(0, 4), (0, 5), (0, 7)})
    whole = replace(
        Lake(),
        broker={0: (0, 8), 1: (0, 2)},
        bronze=(*Lake().bronze, more),
        silver=(*Lake().silver, ("d", 0, 6)),
        no_messages=gaps,
        aborted=frozenset({(0, 4)}),
    )
    return replace(whole, **changes)


def test_offsets_of_no_message_are_not_missing() -> None:
    assert report(with_gaps()).findings == ()


def test_between_offsets_of_no_message_a_missing_one_is_named() -> None:
    found = report(with_gaps(bronze=Lake().bronze, silver=Lake().silver))
    assert [str(finding) for finding in found.findings] == [
        "the broker has them, bronze does not: 1 (partition 0 offsets 6 to 6)"
    ]


def test_an_aborted_message_in_bronze_is_named() -> None:
    aborted: Bronze = (0, 4, None, "a")
    found = report(with_gaps(bronze=(*with_gaps().bronze, aborted)))
    assert [str(finding) for finding in found.findings] == [
        "in bronze, but of transactions that were aborted: 1 (partition 0 offsets 4 to 4)"
    ]


def test_a_message_that_compaction_removed_later_may_stay_in_bronze() -> None:
    compacted = with_gaps(no_messages=with_gaps().no_messages | {(0, 1), (0, 3)})
    assert report(compacted).findings == ()


def test_a_gap_that_the_broker_can_no_longer_explain_is_named() -> None:
    found = report(with_gaps(broker={0: (5, 8), 1: (0, 2)}))
    assert [str(finding) for finding in found.findings] == [
        "bronze never had them, and the broker no longer has them: 1 (partition 0 offsets 4 to 4)"
    ]


def test_what_retention_removed_while_the_gaps_were_read_is_named_and_not_taken_for_explained() -> None:
    """The reader got offset 4, then retention took what is before 7: nobody knows what 5 was; 7 is a marker."""
    more = with_gaps(bronze=Lake().bronze, silver=Lake().silver, no_messages=frozenset({(0, 5), (0, 6), (0, 7)}))
    found = report(replace(more, low_later={0: 7, 1: 0}, aborted=frozenset()))
    assert [str(finding) for finding in found.findings] == [
        "the broker has them, bronze does not: 1 (partition 0 offsets 4 to 4)",
        "bronze never had them, and the broker no longer has them: 2 (partition 0 offsets 5 to 6)",
    ]


def test_what_bronze_has_may_go_while_the_gaps_are_read() -> None:
    assert report(with_gaps(low_later={0: 4, 1: 2})).findings == ()


def test_a_loss_that_was_accepted_is_counted_and_nothing_beyond_it() -> None:
    lost = without(without(Lake(), "bronze", 0), "bronze", 0)
    kept = replace(lost, silver=(("c", 1, 0), ("a", 0, 3)), broker={0: (2, 4), 1: (0, 2)}, first={0: 0, 1: 0})
    gone = "bronze never had them, and the broker no longer has them"
    assert [str(finding) for finding in report(kept).findings] == [f"{gone}: 2 (partition 0 offsets 0 to 1)"]
    half = replace(kept, accepted=((0, 0, 0),))
    assert [str(finding) for finding in report(half).findings] == [f"{gone}: 1 (partition 0 offsets 1 to 1)"]
    whole = report(replace(kept, accepted=((0, 0, 1),)))
    assert (whole.findings, [loss.messages for loss in whole.accepted_loss]) == ((), [2])
