"""The Feast repository, built from the settings and the views: no YAML, so no address stands twice."""

import fcntl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import feast
from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkSource
from feast.repo_config import RegistryConfig, RepoConfig
from feast.table_format import DeltaFormat
from feast.types import Float64, String
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from config.settings import Settings
from feature_store.online_store import connection_string
from feature_store.views import VIEWS, Service, View, services

PROJECT = "tidemill"

# Feast says at every use that its Spark support is in alpha; docs/adr/0009 says why it is used all the same. Its
# module shows such warnings when it is imported, so this comes after.
warnings.filterwarnings("ignore", message="The spark .* experimental feature", category=RuntimeWarning)


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
    """Write entities, views and services to the registry, unless they stand there; returns their names."""
    views = {view.name: feature_view(view, settings) for view in VIEWS.values()}
    entities = {view.entity: entity(view) for view in VIEWS.values()}
    found = [feature_service(service, views[service.view.name]) for service in services().values()]
    objects: list[Any] = [*entities.values(), *views.values(), *found]
    with _registry_locked(settings):
        feast_store = store(settings)
        if not _is_applied(feast_store, objects):
            feast_store.apply(objects)
    return [f"{type(item).__name__} {item.name}" for item in objects]


def _is_applied(feast_store: feast.FeatureStore, objects: Sequence[Any]) -> bool:
    registered = [
        *feast_store.list_entities(),
        *feast_store.list_feature_views(),
        *feast_store.list_feature_services(),
    ]
    definitions = [_definition(item) for item in registered]
    return all(_definition(item) in definitions for item in objects)


def _definition(item: Any) -> Any:
    """What ``item`` says, without when it was said: Feast's own ``==`` compares the times as well."""
    return type(item).__name__, _timeless(MessageToDict(item.to_proto().spec))


def _timeless(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _timeless(value) for key, value in content.items() if key not in ("meta", "project")}
    return [_timeless(value) for value in content] if isinstance(content, list) else content


@contextmanager
def _registry_locked(settings: Settings) -> Iterator[None]:
    """Feast writes a file registry in place and without a lock; one in an object store is its own affair."""
    path = settings.expand(settings.feast.registry)
    if "://" in path:
        yield
        return
    lock = Path(f"{path}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
