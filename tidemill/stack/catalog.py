"""The services of the stack, in the order in which they start."""

from collections.abc import Iterable, Mapping

from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings
from tidemill.stack.service import Service
from tidemill.stack.services import airflow, events, flink, flume, kafka, mlflow, model_server, nifi, redis, stream


class UnknownServiceError(TerminalError):
    """There is no service of that name; the message lists those there are."""


class RemoteServiceError(TerminalError):
    """The settings say that the service runs on another machine."""


def catalog(settings: Settings) -> dict[str, Service]:
    """Every service by name; each comes after those it needs."""
    families = (kafka, redis, mlflow, airflow, stream, model_server, events, flink, nifi, flume)
    return {service.name: service for family in families for service in family.services(settings)}


def check_known(services: Mapping[str, Service], name: str) -> None:
    """Raises UnknownServiceError for a name that no service has."""
    if name not in services:
        raise UnknownServiceError(f"there is no service {name!r}; known: {', '.join(services)}")


def named(services: Mapping[str, Service], names: Iterable[str]) -> list[str]:
    """The services of these names, each once; ``flink`` stands for those whose names begin with ``flink-``.

    Raises:
        UnknownServiceError: no service has that name.
    """
    return list(dict.fromkeys(name for asked in names for name in _of_name(services, asked)))


def _of_name(services: Mapping[str, Service], asked: str) -> list[str]:
    members = [name for name in services if name == asked or name.startswith(f"{asked}-")]
    if not members:
        check_known(services, asked)
    return [asked] if asked in members else members


def select(services: Mapping[str, Service], names: Iterable[str]) -> list[Service]:
    """The named services and those they need, in starting order; without names, all that belong on this machine and
    are not optional.

    Raises:
        UnknownServiceError: no service has that name.
        RemoteServiceError: a named service is elsewhere according to the settings.
    """
    asked = named(services, names)
    for name in asked:
        if not services[name].is_local:
            address, setting = services[name].address, services[name].endpoints[0].setting
            raise RemoteServiceError(f"{name} is at {address} ({setting}), not on this machine: nothing to start here")
    roots = asked or [name for name, service in services.items() if not service.is_optional]
    wanted = {name for root in roots for name in _with_needs(services, root)}
    return [service for name, service in services.items() if name in wanted and service.is_local]


def _with_needs(services: Mapping[str, Service], name: str) -> set[str]:
    return {name}.union(*(_with_needs(services, needed) for needed in services[name].after))


def waves(services: Iterable[Service]) -> list[list[Service]]:
    """The services grouped so that each group needs only those before it."""
    depth: dict[str, int] = {}
    grouped: dict[int, list[Service]] = {}
    for service in services:
        depth[service.name] = 1 + max((depth[name] for name in service.after if name in depth), default=-1)
        grouped.setdefault(depth[service.name], []).append(service)
    return [grouped[level] for level in sorted(grouped)]
