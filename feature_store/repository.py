"""The Feast repository, built from the settings and the views: no YAML, so no address stands twice."""

import json
from typing import Any

import feast
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.repo_config import RegistryConfig, RepoConfig
from feast.table_format import DeltaFormat
from feast.types import Float64, String

from config.settings import Settings
from feature_store.views import VIEWS, Service, View, services

PROJECT = "tidemill"


def repo_config(settings: Settings, timeout_s: float = 5.0) -> RepoConfig:
    """Feast's configuration; one exchange with the online store (connect, then answer) takes at most ``timeout_s``."""
    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=RegistryConfig(path=settings.expand(settings.feast.registry)),
        offline_store={"type": "spark", "spark_conf": {}},
        online_store={"type": "redis", "connection_string": _connection_string(settings, timeout_s)},
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


def _connection_string(settings: Settings, timeout_s: float) -> str:
    """Feast splits it at commas and reads values as JSON, hence the escapes in the password."""
    redis = settings.redis
    half = timeout_s / 2
    parts = [f"{redis.host}:{redis.port}", f"socket_connect_timeout={half}", f"socket_timeout={half}"]
    if redis.password is not None:
        parts.append("password=" + json.dumps(redis.password.get_secret_value()).replace(",", "\\u002c"))
    return ",".join(parts)
