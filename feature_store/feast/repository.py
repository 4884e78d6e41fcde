"""The Feast repository, built from the settings and the views: no YAML, so no address stands twice."""

import fcntl
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import feast
from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkSource
from feast.repo_config import RegistryConfig, RepoConfig
from feast.table_format import DeltaFormat
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Bytes, Float64, Int64, String
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from data_lake.tables import table
from feature_store import catalog
from feature_store.catalog import MERGED, REQUEST_TIME, state_feature_name, state_view_name
from feature_store.definitions import Entity, FeatureGroup, FeatureService
from feature_store.online.connection import connection_string
from tidemill.config.settings import Settings

PROJECT = "tidemill"
KEY_VERSION = 3
"""Of the bytes that Feast makes of an entity's key."""

# Feast says at every use that its Spark support is in alpha; docs/adr/0009 says what it is used for. Its
# module shows such warnings when it is imported, so this comes after.
warnings.filterwarnings("ignore", message="On demand feature view is an experimental feature", category=RuntimeWarning)
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
        offline_store={"type": "feature_store.feast.offline_store.SilverOfflineStore", "settings": settings},
        online_store={"type": "redis", "connection_string": address, "skip_dedup": skip_dedup},
        entity_key_serialization_version=KEY_VERSION,
    )


def store(settings: Settings) -> feast.FeatureStore:
    """Feast's client of this repository."""
    return feast.FeatureStore(config=repo_config(settings))


def apply(settings: Settings) -> list[str]:
    """Write entities, views and services to the registry, unless they stand there; returns their names."""
    views = {group.name: state_view(group, settings) for group in catalog.groups().values()}
    entities = {one.name: entity(one) for one in (group.entity for group in catalog.groups().values())}
    objects: list[Any] = [*entities.values(), *views.values()]
    for one in catalog.services().values():
        merged = merged_view(one, [views[group.name] for group in one.groups])
        objects += [merged, feast.FeatureService(name=one.name, features=[merged])]
    with registry_locked(settings):
        feast_store = store(settings)
        if not _is_applied(feast_store, objects):
            feast_store.apply(objects)
    return [f"{type(item).__name__} {item.name}" for item in objects]


def _is_applied(feast_store: feast.FeatureStore, objects: Sequence[Any]) -> bool:
    registered = [
        *feast_store.list_entities(),
        *feast_store.list_feature_views(),
        *feast_store.list_on_demand_feature_views(),
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
def registry_locked(settings: Settings) -> Iterator[None]:
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


def entity(one: Entity) -> feast.Entity:
    return feast.Entity(name=one.name, join_keys=[one.key], value_type=feast.ValueType.STRING)


def state_view(group: FeatureGroup, settings: Settings) -> feast.FeatureView:
    """The packed states of ``group``."""
    source = SparkSource(
        name=state_view_name(group),
        path=table(group.source.table).path(settings),
        table_format=DeltaFormat(),
        timestamp_field=group.source.event_time,
        description=f"the events of {group.name}; its states are kept up to date by the stream",
    )
    schema = [
        feast.Field(name=group.entity.key, dtype=String),
        feast.Field(name=state_feature_name(group), dtype=Bytes),
    ]
    return feast.FeatureView(name=source.name, entities=[entity(group.entity)], schema=schema, source=source)


def merged_view(service: FeatureService, states: Sequence[feast.FeatureView]) -> feast.OnDemandFeatureView:
    """The features of ``service`` for Feast's own clients: its states merged at the request's time."""
    inputs = [feast.Field(name=REQUEST_TIME, dtype=Int64)]
    inputs += [feast.Field(name=one.name, dtype=Float64) for one in service.inputs]
    return feast.OnDemandFeatureView(
        name=f"{service.name}{MERGED}",
        sources=[*states, feast.RequestSource(name=f"{service.name}_request", schema=inputs)],
        schema=[feast.Field(name=name, dtype=Float64) for name in service.names],
        mode="python",
        feature_transformation=_Merge.of(service),
    )


class _Merge(PythonTransformation):  # type: ignore[misc]
    """Feast finds out the types of a transformation by calling it with random bytes, which are no state."""

    fields: list[feast.Field]

    @classmethod
    def of(cls, service: FeatureService) -> Self:
        made: dict[str, Any] = {}
        source = MERGE.format(service=service.name)
        exec(source, made)  # noqa: S102 - as Feast does, which keeps the source
        merge = cls(udf=made["merge_states"], udf_string=source)
        merge.fields = [feast.Field(name=name, dtype=Float64) for name in service.names]
        return merge

    def infer_features(self, *_: Any, **__: Any) -> list[feast.Field]:
        return self.fields


MERGE = """def merge_states(inputs):
    from feature_store.online.merging import feast_features
    return feast_features({service!r}, inputs)
"""
