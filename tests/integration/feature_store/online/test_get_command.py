"""``tidemill features get`` on a real Redis, as a program asks: Airflow's FeastHook reads what it prints."""

import json

import pytest
from click.testing import CliRunner, Result

from feature_store import catalog
from tidemill.commands import features
from tidemill.config import Settings


@pytest.fixture(autouse=True)
def _settings(redis_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "load_settings", lambda: redis_home)


def get(*instances: str) -> Result:
    return CliRunner().invoke(features.command, ["get", "--service=fraud", "--json", "--", *instances])


def test_each_instance_has_its_features_and_what_is_known_of_its_states() -> None:
    asked = ["customer_id=-1,x,terminal_id=T1,amount=81.5", "terminal_id=T2,amount=-3,customer_id=C2"]
    service = catalog.service("fraud")
    rows = json.loads(get(*asked).stdout)
    assert [row["id"] for row in rows] == asked
    for row in rows:
        assert set(row) == {"id", "known_until", "status", "features"}
        assert tuple(row["features"]) == tuple(service.names)
        assert row["status"] == {group.name: "LOST" for group in service.groups}  # nobody made any


def test_an_instance_without_a_key_is_a_wrong_usage_that_says_what_is_wanted() -> None:
    done = get("customer=C1,terminal_id=T1,amount=1")
    assert done.exit_code == 2
    for name in ("customer_id", "terminal_id", "amount"):
        assert f"{name}=..." in done.output
