"""The catalog finds the services of use cases, and names their states by what they mean."""

import pytest

from feature_store import catalog
from feature_store.catalog import FeatureCatalogError, group_of_view, groups, service, services, state_view_name
from use_cases.churn.features import PURCHASES, SERVICE


@pytest.fixture(autouse=True)
def forgotten() -> None:
    services.cache_clear()
    groups.cache_clear()


def test_the_service_of_a_use_case_and_its_groups_are_found() -> None:
    assert service("churn") is SERVICE
    assert catalog.group("purchases") is PURCHASES
    assert set(SERVICE.groups) <= set(groups().values())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FeatureCatalogError, match=r"no feature service 'chrun'; known: .*churn"):
        service("chrun")
    with pytest.raises(FeatureCatalogError, match=r"no feature group 'sales'; known: .*purchases"):
        catalog.group("sales")


def test_a_use_case_without_a_service_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("use_cases.churn.features.SERVICE")
    with pytest.raises(FeatureCatalogError, match=r"use_cases\.churn\.features has no SERVICE"):
        services()


def test_the_name_of_a_view_tells_the_definition_apart() -> None:
    assert state_view_name(PURCHASES) == f"purchases_{PURCHASES.fingerprint[:8]}"
    assert group_of_view(state_view_name(PURCHASES)) is PURCHASES
