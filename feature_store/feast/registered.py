"""What Feast's registry has: the services that can be asked for, and the views they read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import feast
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from feature_store.catalog import REQUEST_TIME
from feature_store.feast.repository import registry_locked, store
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings


class RegistryError(TerminalError):
    """Feast's registry is not there, or is none."""


@dataclass(frozen=True)
class RegisteredView:
    """A row that is asked about names entities by ``keys``, and has a number for each of ``inputs``."""

    name: str
    keys: tuple[str, ...]
    inputs: tuple[str, ...]
    features: tuple[str, ...]


@dataclass(frozen=True)
class RegisteredService:
    """``keys`` and ``inputs`` are those of all its ``views``."""

    name: str
    keys: tuple[str, ...]
    inputs: tuple[str, ...]
    features: tuple[str, ...]
    views: tuple[str, ...]


@dataclass(frozen=True)
class Registered:
    """Sorted by name."""

    services: tuple[RegisteredService, ...]
    views: tuple[RegisteredView, ...]


def registered(settings: Settings) -> Registered:
    """The services and views that were applied; a view of an older definition stays.

    Raises:
        RegistryError: nothing was ever applied, or the file is no registry.
    """
    place = settings.expand(settings.feast.registry)
    if "://" not in place and not Path(place).is_file():  # Feast would make an empty one
        raise RegistryError(f"there is no Feast registry at {place}: `tidemill features apply` writes it")
    try:
        with registry_locked(settings):
            return _read(store(settings))
    except DecodeError as error:
        raise RegistryError(
            f"{place} is no Feast registry ({error}): move it away, and `tidemill features apply` writes it"
        ) from error


def _read(feast_store: feast.FeatureStore) -> Registered:
    views = {one.name: _view(one) for one in feast_store.list_feature_views()}
    views |= {one.name: _merged(one, views) for one in feast_store.list_on_demand_feature_views()}
    services = [_service(one, views) for one in feast_store.list_feature_services()]
    return Registered(
        tuple(sorted(services, key=lambda service: service.name)),
        tuple(view for _, view in sorted(views.items())),
    )


def _view(view: feast.FeatureView) -> RegisteredView:
    return RegisteredView(view.name, tuple(view.join_keys), (), tuple(one.name for one in view.features))


def _merged(view: feast.OnDemandFeatureView, states: dict[str, RegisteredView]) -> RegisteredView:
    keys = _sorted(key for name in view.source_feature_view_projections for key in states[name].keys)
    given = [one.name for source in view.source_request_sources.values() for one in source.schema]
    inputs = _sorted(name for name in given if name != REQUEST_TIME)
    return RegisteredView(view.name, keys, inputs, tuple(one.name for one in view.features))


def _service(service: feast.FeatureService, views: dict[str, RegisteredView]) -> RegisteredService:
    read = [(views[one.name], one) for one in service.feature_view_projections]
    return RegisteredService(
        service.name,
        _sorted(key for view, _ in read for key in view.keys),
        _sorted(name for view, _ in read for name in view.inputs),
        tuple(feature.name for _, projection in read for feature in projection.features),
        tuple(view.name for view, _ in read),
    )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
