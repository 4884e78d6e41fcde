"""Feature services are found by folder and checked against their view."""

import sys
from types import ModuleType

import pytest

from feature_store import views
from feature_store.views import CUSTOMER_SNAPSHOT, FeatureDefinitionError, service, services
from use_cases.churn.features import FEATURES


def test_the_service_of_churn_has_its_features_in_order() -> None:
    assert service("churn").features == FEATURES
    assert service("churn").view is CUSTOMER_SNAPSHOT
    assert "churn" in services()


def test_a_use_case_of_window_groups_has_no_view() -> None:
    assert "fraud" not in services()


def test_an_unknown_service_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(FeatureDefinitionError, match=r"no feature service 'chrun'; known: .*churn"):
        service("chrun")


@pytest.mark.parametrize(
    ("view", "features", "message"),
    [
        pytest.param("customer_snapshot", ("recency_days", "age"), "unknown age", id="unknown feature"),
        pytest.param("customer_snapshot", ("recency_days",) * 2, "a feature twice", id="repeated feature"),
        pytest.param("customer", ("recency_days",), "no view 'customer'; known: customer_snapshot", id="unknown view"),
    ],
)
def test_a_wrong_definition_is_refused(
    monkeypatch: pytest.MonkeyPatch, view: str, features: tuple[str, ...], message: str
) -> None:
    module = ModuleType("use_cases.churn.features")
    module.FEATURE_SERVICE, module.FEATURE_VIEW, module.FEATURES = "churn", view, features  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "use_cases.churn.features", module)
    monkeypatch.setattr(views.importlib.util, "find_spec", lambda name: object())
    with pytest.raises(FeatureDefinitionError, match=message):
        views._service("churn")
