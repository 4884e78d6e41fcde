"""The flows' files and what NiFi runs, made the same: a file that changed is a new version of its flow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingestion_layer.nifi.definitions import Flow, flows, marked_digest
from ingestion_layer.nifi.rest import Group, Nifi, NifiRefusedError, Processor
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

REPLACE_TIMEOUT_S = 120.0
APART = 400
"""Pixels between two flows on NiFi's page."""


class FlowInvalidError(TransientError):
    """NiFi cannot run an installed flow yet; a processor in Python is not valid before its Python has started."""


@dataclass(frozen=True)
class InstalledFlow:
    """``state`` is one of "running", "stopped", "invalid", "outdated", "missing" and "foreign"."""

    name: str
    state: str
    digest: str | None = None
    queued: int = 0


def install(settings: Settings) -> None:
    """Install each flow that is not there as its file is now, and start all of them; else nothing is done.

    Raises:
        NifiAwayError: NiFi does not answer.
        NifiRefusedError: it does not take a flow.
        FlowInvalidError: a flow is there and cannot run yet: call it again.
    """
    nifi = Nifi(settings)
    # All of them first: each Python that a flow needs takes its time to start.
    groups = [(flow, _installed(nifi, flow, number)) for number, flow in enumerate(flows())]
    for flow, group in groups:
        _start(nifi, flow, group)


def installed(settings: Settings) -> list[InstalledFlow]:
    """Each flow, with what NiFi has of it.

    Raises:
        NifiAwayError: NiFi does not answer.
    """
    nifi = Nifi(settings)
    groups = nifi.groups()
    return [_state(nifi, flow, _of(groups, flow)) for flow in flows()]


def _installed(nifi: Nifi, flow: Flow, number: int) -> Group:
    """The group of ``flow`` as its file is now."""
    group = _of(nifi.groups(), flow)
    if group is None:
        return nifi.upload(flow.name, flow.definition, (number * APART, 0))
    digest = marked_digest(group.component.comments)
    if digest is None:
        raise NifiRefusedError(f"NiFi has a process group {flow.name} that was made by hand: rename it")
    if digest != flow.digest:
        nifi.replace(group, flow.definition, REPLACE_TIMEOUT_S)
    return group


def _start(nifi: Nifi, flow: Flow, group: Group) -> None:
    if flow.has_services:
        nifi.enable_services(group.id)
    processors = nifi.processors(group.id)
    if problems := list(_problems(processors)):
        raise FlowInvalidError(f"flow {flow.name} cannot run: {'; '.join(problems)}")
    if any(processor.component.state == "STOPPED" for processor in processors):
        nifi.run(group.id)


def _of(groups: Sequence[Group], flow: Flow) -> Group | None:
    """The one group with the name of ``flow``.

    Raises:
        NifiRefusedError: there are several.
    """
    named = [group for group in groups if group.component.name == flow.name]
    if len(named) > 1:
        raise NifiRefusedError(f"NiFi has {len(named)} process groups named {flow.name}: rename or delete all but one")
    return named[0] if named else None


def _problems(processors: Sequence[Processor]) -> Iterator[str]:
    for processor in processors:
        said = processor.component
        if said.validation != "VALID":
            yield f"{said.name} is {said.validation.lower()}: {', '.join(said.errors) or 'no reason yet'}"


def _state(nifi: Nifi, flow: Flow, group: Group | None) -> InstalledFlow:
    if group is None:
        return InstalledFlow(flow.name, "missing")
    digest, queued = marked_digest(group.component.comments), nifi.queued(group.id)
    if digest is None:
        return InstalledFlow(flow.name, "foreign", None, queued)
    if digest != flow.digest:
        return InstalledFlow(flow.name, "outdated", digest, queued)
    if group.invalid:
        return InstalledFlow(flow.name, "invalid", digest, queued)
    return InstalledFlow(flow.name, "stopped" if group.stopped else "running", digest, queued)
