from monitoring.drift import Aspect
from monitoring.looks.requesting import ask_of
from tests.unit.monitoring.looks.looks import SUBJECT, look, verdict


def test_whatever_drifted_of_a_model_is_asked_for_under_one_key() -> None:
    asks = [
        ask_of(SUBJECT, look(*verdicts))
        for verdicts in (
            [verdict("age")],
            [verdict("spend"), verdict("age", Aspect.MISSING)],
            [verdict(None, Aspect.TOGETHER)],
        )
    ]
    assert {ask.key for ask in asks if ask is not None} == {"drift/r1/m-1"}
    assert all(asks)


def test_an_outage_and_a_steady_look_ask_for_nothing() -> None:
    outage = look(verdict(None, Aspect.VOLUME), verdict(None, Aspect.FRESHNESS), verdict("age", is_drifted=False))
    assert ask_of(SUBJECT, outage) is None


def test_an_ask_says_what_drifted_most_first_and_has_the_figures() -> None:
    drifted = [verdict(name, shift=shift) for name, shift in (("a", 0.2), ("b", 0.9), ("c", 0.5), ("d", 0.3))]
    ask = ask_of(SUBJECT, look(*drifted, verdict("e", is_drifted=False)))
    assert ask is not None
    assert ask.reason == "b, c, d and 1 more drifted from what version 3 learnt from"
    assert [figures["feature"] for figures in ask.evidence["drifted"]] == ["a", "b", "c", "d"]
    assert ask.evidence["drifted"][1]["effect"] == 0.9
    assert ask.evidence["drifted"][1]["limit"] == 0.125
    assert (ask.evidence["model"]["run_id"], ask.evidence["judged"]) == ("r1", 900)
