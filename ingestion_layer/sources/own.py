"""A source of the project: a module of its folder ``sources`` with a function ``events``."""

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import Any

from ingestion_layer.kafka.producer import ContractViolationError, Event
from ingestion_layer.sources.names import FOLDER, source_files
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Batch, Source
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import Project, current_project
from tidemill.contracts.checker import Rejection
from tidemill.contracts.registry import contract

A_BATCH = 1_000


class OwnSourceError(TerminalError):
    """A module that is no source, or yields what is no event."""


class OwnSource(Source):
    """What ``events()`` of ``sources/<name>.py`` yields, CloudEvents in order; the position counts them.

    ``counts``: messages by topic. A module that was edited is another source, which is sent from its beginning.
    """

    unit = "events"

    def __init__(self, name: str, project: Project | None = None) -> None:
        super().__init__()
        self.name = name
        self._events, self._digest = _events_of(name, project or current_project())

    @property
    def identity(self) -> str:
        return self._digest

    @property
    def total(self) -> None:
        return None

    def batches(self, progress: Progress) -> Iterator[Batch]:
        position = progress.position
        following = islice(self._events(), position, None)
        while taken := list(islice(following, A_BATCH)):
            for topic, some in groupby(taken, key=self._topic):
                outgoing = list(some)
                position += len(outgoing)
                self.counts[topic] += len(outgoing)
                yield Batch(position, {topic: outgoing})

    def on_rejected(self, event: Event, topic: str, rejection: Rejection) -> None:
        raise ContractViolationError(
            f"sources/{self.name}.py made event {event.get('id')!r} of {topic}, which breaks its contract: "
            f"{rejection.reason.value}: {rejection.detail}"
        )

    def _topic(self, event: Any) -> str:
        topic = event.get("type") if isinstance(event, dict) else None
        if not isinstance(topic, str):
            raise OwnSourceError(
                f"sources/{self.name}.py: events() yields {event!r:.200}, which is no CloudEvent: make one with "
                "tidemill.contracts.event(contract, source, record, time, data)"
            )
        return contract(topic).topic


def _events_of(name: str, project: Project) -> tuple[Callable[[], Iterable[Any]], str]:
    """The function of the source ``name``, and a digest of its file."""
    files = {file.stem: file for file in source_files(project)}
    if name not in files:
        place = f"{project.root / FOLDER}" if project.root else "no project (`tidemill new PATH` makes one)"
        raise OwnSourceError(f"no source {name!r} in {place}{nearest(name, files)}")
    file = files[name]
    module = importlib.import_module(f"ingestion_layer.sources.{name}")
    if module.__file__ != str(file):
        raise OwnSourceError(f"source {name!r} is there twice: {file}, and the platform's {module.__file__}: rename it")
    events = getattr(module, "events", None)
    if not callable(events):
        raise OwnSourceError(f"{file} has no function events(): write one that yields CloudEvents")
    return events, hashlib.sha256(file.read_bytes()).hexdigest()[:16]
