"""What the report says, and what makes a soak fail."""

from collections import Counter
from dataclasses import replace

import pytest

from tests.soak.ending import Check
from tests.soak.faults import Fault
from tests.soak.health import Growth
from tests.soak.judge import Judged
from tests.soak.report import Soak, markdown
from tests.soak.traffic import Timeline


def soak() -> Soak:
    timeline = Timeline()
    for second, missing in ((1010, 0), (1020, 2), (1021, 1), (1021, 0), (1090, 1)):
        timeline.note(second + 0.5, 10, missing)
    return Soak(
        hours=0.1,
        seed=1,
        began=1000.0,
        ended=1360.0,
        statuses=Counter({"200": 40, "ConnectError": 2}),
        reasons=Counter({"OK": 1200, "state_lost": 7}),
        timeline=timeline,
        judged=Judged(answers=1207, with_features=1200),
        faults=[
            Fault("kill -9 redis", "process 7", 1020.0, repaired_at=1032.0, trouble=""),
            Fault("kill -9 stream", "process 8", 1080.0, repaired_at=1140.0, trouble=""),
            Fault("kill -9 redis", "process 9", 1200.0, repaired_at=1204.0, trouble=""),
        ],
        growth=[Growth("redis", 20, 3, 100.0, 110.0, 5.0)],
        checks=[Check("reconcile", "5,000 messages")],
        live={"shop.transaction.v1": 900},
        commands=2,
        failed=1,
    )


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_a_soak_in_which_nothing_was_wrong_passes() -> None:
    assert soak().failures() == []
    assert "Nothing was wrong." in markdown(soak())


def test_faults_are_counted_with_their_repair_and_the_seconds_until_the_next_that_were_degraded() -> None:
    found = rows(markdown(soak()))
    # two seconds after the first kill of Redis, none after the second
    assert ["kill -9 redis", "2", "2", "8", "12", "1"] in found
    assert ["kill -9 stream", "1", "1", "60", "60", "1"] in found
    assert ["time", "360 s, in 3 of them an answer lacked something or did not come"] in found


def test_answers_and_memory_have_their_figures() -> None:
    found = rows(markdown(soak()))
    assert ["requests", "200 40, ConnectError 2"] in found
    assert ["predictions answered", "OK 1,200, state_lost 7"] in found
    assert ["live events", "shop.transaction.v1 900, by 2 commands, 1 of which failed"] in found
    assert ["redis", "3", "20", "100", "110", "+10%", "+5"] in found
    assert ["reconcile", "5,000 messages", "yes"] in found


def test_a_soak_without_faults_has_a_table_too() -> None:
    assert "Nothing was wrong." in markdown(replace(soak(), faults=[]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"judged": Judged(answers=1, with_features=1, wrong=["c1: 2 for 3"])},
            "1 wrong answers, such as: c1: 2 for 3",
        ),
        ({"judged": Judged()}, "no answer was judged"),
        (
            {"faults": [Fault("kill -9 mlflow", "process 3", 1.0, trouble="it does not run")]},
            "not repaired: kill -9 ml",
        ),
        ({"checks": [Check("reconcile", "7 messages", "offset 3 is missing")]}, "reconcile: offset 3 is missing"),
        ({"growth": [Growth("mlflow", 20, 1, 300.0, 500.0, 900.0)]}, "mlflow leaks: 300 MB first, 500 MB last"),
    ],
    ids=["a wrong answer", "no answer judged", "no repair", "a difference", "a leak"],
)
def test_a_soak_fails_by(changes: dict[str, object], said: str) -> None:
    failed = replace(soak(), **changes)  # type: ignore[arg-type]
    assert [text[: len(said)] for text in failed.failures()] == [said]
    assert said in markdown(failed)
