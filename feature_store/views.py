"""The feature views and feature services of this project, described without Feast or Spark."""

import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import use_cases
from config.errors import TerminalError
from data_lake.tables import Table, table


class FeatureDefinitionError(TerminalError):
    """A use case that asks for a feature, view or service that does not exist."""


@dataclass(frozen=True)
class View:
    """Features of one entity, read from one lake table.

    ``timestamp`` is the column that says since when a row is known; a row older than ``ttl`` is not used for training.
    """

    name: str
    entity: str
    join_key: str
    table_name: str
    timestamp: str
    ttl: timedelta

    @property
    def table(self) -> Table:
        return table(self.table_name)

    @property
    def features(self) -> tuple[str, ...]:
        """The numbers of the table: its DOUBLE columns, in order."""
        return tuple(column.name for column in self.table.columns if column.sql_type == "DOUBLE")


@dataclass(frozen=True)
class Service:
    """The features one model reads, in the order the model reads them."""

    name: str
    view: View
    features: tuple[str, ...]


# Snapshots are at most a week apart; two steps bridge one that a late run has not made yet, and no more: features
# older than that would train a model on what nobody would serve.
CUSTOMER_SNAPSHOT = View(
    name="customer_snapshot",
    entity="customer",
    join_key="customer_id",
    table_name="gold/customer_snapshot",
    timestamp="snapshot_time",
    ttl=timedelta(days=14),
)
VIEWS: Mapping[str, View] = {view.name: view for view in (CUSTOMER_SNAPSHOT,)}


@cache
def services() -> Mapping[str, Service]:
    """The feature service of every use case whose ``features.py`` names a view, by name.

    One made of window groups has no view: its features are computed from silver (``feature_store.training``).
    """
    found = [_service(module.name) for module in pkgutil.iter_modules(use_cases.__path__) if module.ispkg]
    return {service.name: service for service in found if service is not None}


def service(name: str) -> Service:
    """The feature service called ``name``.

    Raises:
        FeatureDefinitionError: no use case declares it.
    """
    try:
        return services()[name]
    except KeyError:
        raise FeatureDefinitionError(f"no feature service {name!r}; known: {', '.join(services())}") from None


def _service(use_case: str) -> Service | None:
    module_name = f"use_cases.{use_case}.features"
    if importlib.util.find_spec(module_name) is None:
        return None
    module = importlib.import_module(module_name)
    if not hasattr(module, "FEATURE_VIEW"):
        return None
    view = VIEWS.get(module.FEATURE_VIEW)
    if view is None:
        raise FeatureDefinitionError(f"{module_name}: no view {module.FEATURE_VIEW!r}; known: {', '.join(VIEWS)}")
    unknown = [feature for feature in module.FEATURES if feature not in view.features]
    if unknown or len(set(module.FEATURES)) != len(module.FEATURES):
        wrong = f"unknown {', '.join(unknown)}" if unknown else "a feature twice"
        raise FeatureDefinitionError(f"{module_name}: {wrong}; {view.name} has {', '.join(view.features)}")
    return Service(module.FEATURE_SERVICE, view, tuple(module.FEATURES))
