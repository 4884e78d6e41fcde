import numpy as np
import pytest
from loop_outcomes import DAYS, Outcome, Promoted, Told
from loop_tables import delay, mean, rate, share, tables


def told(**changed: object) -> Told:
    nothing = dict.fromkeys(Told.model_fields, ()) | {"refused": 0}
    return Told.model_validate(nothing | changed)


def test_shares_have_the_interval_of_clopper_and_pearson() -> None:
    assert share(0, 200) == "0.0% [0.0%, 1.8%] (0 of 200)"  # 1 - 0.025 ** (1 / 200)
    assert share(200, 200) == "100.0% [98.2%, 100.0%] (200 of 200)"
    assert share(10, 100) == "10.0% [4.9%, 17.6%] (10 of 100)"  # of the published tables
    assert share(0, 0) == "-"


def test_rates_have_the_exact_interval_of_a_poisson_count() -> None:
    assert rate(0, 1.0) == "0.00 [0.00, 3.69]"  # -log(0.025)
    assert rate(10, 2.0) == "5.00 [2.40, 9.20]"  # 4.80 and 18.39 of Garwood's table


def test_means_have_students_interval() -> None:
    assert mean([1.0, 2.0, 3.0], 2) == "2.00 [-0.48, 4.48]"  # 4.3027 / sqrt(3)
    assert mean([1.0]) == "1.0"


def test_the_delay_is_to_the_first_that_was_found_after_the_change() -> None:
    assert delay(told(found=(3.0, 101.5, 102.0)), 100) == 1.5
    assert delay(told(found=(3.0,), found_by_outcomes=(190.0,)), 100) == 90.0
    assert delay(told(found=(3.0,)), 100) == np.inf


def test_what_happened_before_the_change_is_false_and_what_came_after_is_not() -> None:
    drifted = told(
        found=(50.0, 101.0),
        requested=(50.0, 101.0),
        trained=(50.0, 101.0, 110.0),
        promoted=(Promoted(day=57.0, loss=0.001, auc=-0.001), Promoted(day=108.0, loss=-0.01, auc=-0.03)),
    )
    losses = {"never": 0.15, "daily": 0.145, "the loop": 0.142, "oracle": 0.14}
    of_year = Outcome(year=1, kind="covariate shift", size="1.0 SD", onset=100, told=drifted, losses=losses)
    lines = list(tables([of_year]))
    assert lines[0].startswith(f"Without drift, over {100 / DAYS:.1f} years")
    assert cells(lines, "retrainings asked for by drift")[0] == "1"
    assert cells(lines, "retrainings asked for by drift")[1].startswith(f"{1 / (100 / DAYS):.2f} ")
    found = cells(lines, "covariate shift | 1.0 SD | 100.0%")
    assert found[1:] == ["0", "1.0", "2.0", "1.0"]
    worse = cells(lines, "after a change")
    assert [cell.split(" ")[0] for cell in worse] == ["1", "0.0%", "100.0%"]
    assert cells(lines, "covariate shift | 1.0 SD | 1 |") == ["140.0", "10.00", "5.00", "2.00"]


def cells(lines: list[str], begins: str) -> list[str]:
    """Those after the ones that a row begins with."""
    line = next(line for line in lines if line.startswith(f"| {begins}"))
    skipped = begins.strip(" |").count("|") + 1
    return [cell.strip() for cell in line.strip("|").split("|")][skipped:]


@pytest.mark.parametrize("onset", [None, 100])
def test_a_year_comes_back_from_the_file_that_keeps_it(onset: int | None) -> None:
    kept = Outcome(year=2, kind="none", size="", onset=onset, told=told(refused=3), losses={"never": 0.1})
    assert Outcome.model_validate_json(kept.model_dump_json()) == kept
