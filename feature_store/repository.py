"""The Feast repository, built from the settings and the views: no YAML, so no address stands twice."""

from typing import Any

import feast
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.repo_config import RegistryConfig, RepoConfig
from feast.table_format import DeltaFormat
from feast.types import Float64, String

from config.settings import Settings
from feature_store.online_store import connection_string
from feature_store.views import VIEWS, Service, View, services

PROJECT = "tidemill"


def repo_config(settings: Settings, timeout_s: float = 10.0, skip_dedup: bool = False) -> RepoConfig:
    """Feast's configuration; one exchange with the online store (connect, then answer) takes at most ``timeout_s``.

    With ``skip_dedup`` Feast writes rows whatever their time: the caller has compared it.
    """
    address = connection_string(settings, timeout_s)
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=RegistryConfig(path=settings.expand(settings.feast.registry)),
        offline_store={"type": "spark", "spark_conf": {}},
        online_store={"type": "redis", "connection_string": address, "skip_dedup": skip_dedup},
        entity_key_serialization_version=3,
    )


def store(settings: Settings) -> feast.FeatureStore:
    """Feast's client of this repository."""
    return feast.FeatureStore(config=repo_config(settings))


def apply(settings: Settings) -> list[str]:
    """Write entities, views and services to the registry; again is a no-op. Returns their names."""
    views = {view.name: feature_view(view, settings) for view in VIEWS.values()}
    entities = {view.entity: entity(view) for view in VIEWS.values()}
    found = [feature_service(service, views[service.view.name]) for service in services().values()]
    objects: list[Any] = [*entities.values(), *views.values(), *found]
    store(settings).apply(objects)
    return [f"{type(item).__name__} {item.name}" for item in objects]


def entity(view: View) -> feast.Entity:
    return feast.Entity(name=view.entity, join_keys=[view.join_key], value_type=feast.ValueType.STRING)


def feature_view(view: View, settings: Settings) -> feast.FeatureView:
    """Feast's form of ``view``, read from its Delta table by path."""
    source = SparkSource(
        name=view.table_name.replace("/", "_"),
        path=view.table.path(settings),
        table_format=DeltaFormat(),
        timestamp_field=view.timestamp,
        description=view.table.description,
    )
    schema = [feast.Field(name=view.join_key, dtype=String)]
    schema += [feast.Field(name=name, dtype=Float64) for name in view.features]
    return feast.FeatureView(name=view.name, entities=[entity(view)], ttl=view.ttl, schema=schema, source=source)


def feature_service(service: Service, view: feast.FeatureView) -> feast.FeatureService:
    return feast.FeatureService(name=service.name, features=[view[list(service.features)]])
