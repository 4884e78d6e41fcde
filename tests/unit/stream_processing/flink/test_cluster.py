"""What is asked of a job manager, also of one that is too busy to answer at once."""

import pytest

from stream_processing.flink.cluster import Cluster, ClusterAwayError, SavepointError, _passes
from tests.unit.stream_processing.flink.conftest import Answers
from tidemill.config import Settings

TRIGGERED = (202, {"request-id": "r1"})
IN_PROGRESS = (200, {"status": {"id": "IN_PROGRESS"}})
MADE = (200, {"status": {"id": "COMPLETED"}, "operation": {"location": "file:/savepoints/s1"}})
REFUSED = (
    200,
    {"status": {"id": "COMPLETED"}, "operation": {"failure-cause": {"stack-trace": "a\nCaused by: no disk\n\tat b"}}},
)
BUSY = (503, {"errors": ["busy"]})


def test_a_savepoint_is_waited_for_while_the_manager_is_too_busy_to_answer(manager: Settings, answers: Answers) -> None:
    answers += [TRIGGERED, IN_PROGRESS, BUSY, MADE]
    assert Cluster(manager).savepoint("j1", "file:///savepoints", 30.0) == "file:///savepoints/s1"
    assert answers == []


def test_a_savepoint_that_cannot_be_made_says_why(manager: Settings, answers: Answers) -> None:
    answers += [TRIGGERED, REFUSED]
    with pytest.raises(SavepointError, match="no disk"):
        Cluster(manager).savepoint("j1", "file:///savepoints", 30.0)


def test_a_savepoint_that_was_not_begun_is_no_savepoint(manager: Settings, answers: Answers) -> None:
    answers += [BUSY]
    with pytest.raises(ClusterAwayError, match="503"):
        Cluster(manager).savepoint("j1", "file:///savepoints", 30.0)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("file:/home/a b/chk-2", "file:///home/a b/chk-2"),
        ("file:///home/chk-2", "file:///home/chk-2"),
        ("s3://bucket/chk-2", "s3://bucket/chk-2"),
    ],
)
def test_a_checkpoint_is_named_as_the_rest_of_us_name_a_file(
    manager: Settings, answers: Answers, told: str, expected: str
) -> None:
    answers += [(200, {"latest": {"restored": {"external_path": told}}})]
    assert Cluster(manager).restored_from("j1") == expected


def test_the_vertices_that_events_go_between_are_a_pass() -> None:
    reads = {"a": "", "b": "", "c": "b", "d": "a", "e": "c", "f": "c", "g": "ef"}
    nodes = [{"id": name, "inputs": [{"id": read} for read in of]} for name, of in reads.items()]
    assert sorted(map(sorted, _passes(nodes))) == [["a", "d"], ["b", "c", "e", "f", "g"]]


def test_a_job_that_began_anew_was_restored_from_nothing(manager: Settings, answers: Answers) -> None:
    answers += [(200, {"latest": {"restored": None}})]
    assert Cluster(manager).restored_from("j1") is None
