"""What is listed is what was applied: a real registry file, no server."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from feature_store import catalog
from feature_store.catalog import state_view_name
from feature_store.feast.registered import RegistryError, registered
from feature_store.feast.repository import apply
from tidemill.commands import features
from tidemill.config import Settings, load_settings


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path), "TIDEMILL_PROJECT": ""})


def test_a_service_is_asked_by_the_keys_and_inputs_that_its_groups_have(home: Settings) -> None:
    apply(home)
    services = {service.name: service for service in registered(home).services}
    assert list(services) == ["churn", "fraud", "next_spend"]
    assert (services["churn"].keys, services["churn"].inputs) == (("customer_id",), ())
    fraud = services["fraud"]
    assert (fraud.keys, fraud.inputs) == (("customer_id", "terminal_id"), ("amount",))
    assert fraud.features == tuple(catalog.service("fraud").names)
    assert fraud.views == ("fraud_features",)


def test_views_are_those_of_states_and_those_that_merge_them(home: Settings) -> None:
    apply(home)
    views = {view.name: view for view in registered(home).views}
    assert list(views) == sorted(views)
    merged = {"churn_features", "fraud_features", "next_spend_features"}
    assert set(views) == merged | {state_view_name(group) for group in catalog.groups().values()}
    verdicts = views[state_view_name(catalog.group("terminal_verdicts"))]
    assert (verdicts.keys, verdicts.inputs, len(verdicts.features)) == (("terminal_id",), (), 1)
    assert (views["fraud_features"].keys, views["fraud_features"].inputs) == (
        ("customer_id", "terminal_id"),
        ("amount",),
    )


def test_a_registry_that_is_not_there_is_said_and_not_made(home: Settings) -> None:
    with pytest.raises(RegistryError, match=r"there is no Feast registry at .*`tidemill features apply` writes it"):
        registered(home)
    assert not (home.home / "feast").exists()


def test_a_file_that_is_no_registry_is_said_and_left_as_it_is(home: Settings) -> None:
    file = home.home / "feast" / "registry.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\xffnone")
    with pytest.raises(RegistryError, match="is no Feast registry"):
        registered(home)
    assert file.read_bytes() == b"\xffnone"


def test_the_command_lists_it_for_people_and_for_programs(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "load_settings", lambda: home)
    apply(home)
    told = json.loads(CliRunner().invoke(features.command, ["list", "--json"], catch_exceptions=False).stdout)
    assert [service["name"] for service in told["services"]] == ["churn", "fraud", "next_spend"]
    assert told["services"][1]["keys"] == ["customer_id", "terminal_id"]
    shown = CliRunner().invoke(features.command, ["list"], catch_exceptions=False).stdout
    assert "customer_id, terminal_id, amount" in shown
