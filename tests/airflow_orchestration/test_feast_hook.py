"""The hook over the stand-in for the platform's command, and, where nothing has to run, over the command itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_orchestration.plugins.hooks.feast import FeastHook
from airflow_orchestration.plugins.hooks.platform import PlatformHook
from tests.airflow_orchestration.platform_double import PlatformDouble
from tidemill.config.installation import platform_environment
from tidemill.config.settings import Settings, load_settings


@pytest.fixture
def own(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty home with the real commands, and a port at which no Redis listens."""
    monkeypatch.setenv("TIDEMILL_PLATFORM_ENVIRONMENT", str(platform_environment()))
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMILL_REDIS__PORT", "1")
    return load_settings()


def row(instance: str, total: float | None) -> dict[str, Any]:
    known = "2026-03-01T00:00:00+00:00"
    return {"id": instance, "known_until": known, "status": {"spend": "OK"}, "features": {"spend__sum": total}}


def printed(document: Any) -> dict[str, Any]:
    return {"stdout": [json.dumps(document)]}


def test_the_features_of_each_row_are_answered_by_one_command(platform: PlatformDouble) -> None:
    rows = [row("a", 81.5), row("b", None)]
    platform.answer({"features get": [printed(rows)]})
    asked = [{"customer_id": "-1,x", "amount": 81.5}, {"customer_id": 17850, "amount": -3}]
    assert FeastHook().get_online_features("fraud", asked) == rows
    (call,) = platform.calls()
    instances = ["customer_id=-1,x,amount=81.5", "customer_id=17850,amount=-3"]
    assert call.arguments == ["features", "get", "--service=fraud", "--json", "--", *instances]


def test_an_answer_of_several_megabytes_is_read_whole_and_not_logged(
    platform: PlatformDouble, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [row("x" * 3_000_000, 1.0)]
    platform.answer({"features get": [printed(rows)]})
    assert FeastHook().get_online_features("churn", [{"customer_id": "x"}]) == rows
    assert "xxx" not in caplog.text + "".join(capfd.readouterr())


def test_more_rows_than_a_command_takes_are_asked_for_in_turn(platform: PlatformDouble) -> None:
    platform.answer({"features get": [printed([row("first", 1.0)]), printed([row("second", 2.0)])]})
    answered = FeastHook().get_online_features("churn", [{"customer_id": f"c{number}"} for number in range(1_001)])
    assert [answer["id"] for answer in answered] == ["first", "second"]
    first, second = platform.calls()
    assert (first.arguments[5], first.arguments[-1]) == ("customer_id=c0", "customer_id=c999")
    assert second.arguments[5:] == ["customer_id=c1000"]


def test_no_rows_ask_nothing(platform: PlatformDouble) -> None:
    assert FeastHook().get_online_features("churn", []) == []
    assert platform.calls() == []


@pytest.mark.parametrize("wrong", [{}, {"customer_id": None}, {"customer_id": True}, {"customer_id": ["c1"]}])
def test_a_row_that_names_nobody_is_not_asked_about(platform: PlatformDouble, wrong: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match="names no entity: give it by strings and numbers"):
        FeastHook().get_online_features("churn", [{"customer_id": "c1"}, wrong])
    assert platform.calls() == []


def test_a_registry_that_is_not_there_says_how_to_make_it_and_then_lists_what_was_applied(own: Settings) -> None:
    with pytest.raises(AirflowFailException, match=r"there is no Feast registry at .*tidemill features apply"):
        FeastHook().list_feature_services()
    assert PlatformHook(own).ask(["tidemill", "features", "apply"]).exit_status == 0
    services = {service["name"]: service for service in FeastHook().list_feature_services()}
    fraud = services["fraud"]
    assert (fraud["keys"], fraud["inputs"]) == (["customer_id", "terminal_id"], ["amount"])
    assert {"amount_now", "customer_payments__count_7d"} < set(fraud["features"])
    views = {view["name"]: view for view in FeastHook().list_feature_views()}
    (merged,) = fraud["views"]
    assert views[merged]["features"] == fraud["features"]


def test_a_service_that_is_not_there_fails_at_once_with_those_that_are(own: Settings) -> None:
    with pytest.raises(AirflowFailException, match="no feature service 'chrun'; known: churn, fraud, next_spend"):
        FeastHook().get_online_features("chrun", [{"customer_id": "c1"}])


def test_a_store_that_is_away_is_asked_again_by_airflow(own: Settings) -> None:
    with pytest.raises(AirflowException, match=r"may work when tried again: .*Redis at \S+:1 did") as raised:
        FeastHook().get_online_features("churn", [{"customer_id": "c1"}])
    assert not isinstance(raised.value, AirflowFailException)
