"""A project's definitions as tests ask them."""

import importlib
from collections.abc import Mapping
from datetime import datetime
from types import ModuleType
from typing import Any

from feature_store import catalog
from feature_store.definitions import FeatureService
from tidemill.config.errors import TerminalError, nearest
from tidemill.contracts.checker import Rejection, checker
from tidemill.contracts.events import event
from tidemill.contracts.registry import contract
from tidemill.projects.testing.answers import Value, service_values
from tidemill.projects.testing.given import SOURCE, Given, History, micros, rows
from tidemill.projects.testing.labels import Label, label


class AskedError(TerminalError):
    """A test asks for what the use case does not have, or leaves out what it needs."""


class DisagreementError(AssertionError):
    """Training, stream, request and judge do not say the same of a feature: a fault of the platform."""


class Definitions:
    """The definitions of this process's project, computed as training, the stream and requests compute them."""

    def features(
        self,
        use_case: str,
        events: Given,
        *,
        at: datetime,
        entity: Mapping[str, Any],
        inputs: Mapping[str, float] | None = None,
    ) -> dict[str, Value]:
        """The features of ``use_case`` at ``at`` (aware), None where one has no value.

        ``entity`` has the key of each entity, ``inputs`` each number that a request brings.

        Raises:
            AskedError, GivenError: what is asked or given does not fit the use case.
            DisagreementError: those who compute features differ.
        """
        service = catalog.service(use_case)
        histories = self.histories(service, events, entity)
        missing = [given.name for given in service.inputs if given.name not in (inputs or {})]
        if missing:
            raise AskedError(f"{use_case} needs inputs: {', '.join(missing)}")
        entities = dict.fromkeys(histories, 0)
        given = {of.name: float((inputs or {})[of.name]) for of in service.inputs}
        values, different = service_values(service, histories, entities, given, micros(at))
        if different:
            raise DisagreementError("; ".join(map(str, different)))
        return values

    @staticmethod
    def histories(service: FeatureService, events: Given, entity: Mapping[str, Any]) -> dict[str, History]:
        """The events of each group, by its name; the entity that is asked about is number 0."""
        given = rows(events)
        keys = sorted(service.keys)
        if missing := [key for key in keys if key not in entity]:
            raise AskedError(f"{service.name} needs the entity's {', '.join(missing)}")
        if unknown := [key for key in entity if key not in keys]:
            raise AskedError(f"{service.name} has no entity {unknown[0]!r}{nearest(unknown[0], keys)}")
        return {group.name: History.of(group, given, str(entity[group.entity.key])) for group in service.groups}

    @staticmethod
    def label(use_case: str, events: Given, *, at: datetime, entity: Mapping[str, Any]) -> Label:
        """What the question of ``use_case`` turns out to say of ``entity``, asked at ``at`` (aware).

        ``at`` is a cutoff, the start of a day, or the time of the event that is asked about. None is the label of one
        that is not asked about, or has none; a class is given by its name.

        Raises:
            LabelError: the question is not asked then, or it is one of Own, which Spark alone answers.
        """
        return label(catalog.question(use_case), rows(events), entity, at)

    @staticmethod
    def rejection(topic: str, data: Mapping[str, Any], time: datetime | None = None) -> Rejection | None:
        """Why an event of ``topic`` with this ``data`` would be quarantined; None when it would not."""
        at = time or datetime.fromisoformat("2026-01-01T00:00:00+00:00")
        return checker(topic).check(event(contract(topic), SOURCE, "asked", at, data))

    @staticmethod
    def source(name: str) -> ModuleType:
        """The module ``sources/<name>.py``."""
        return importlib.import_module(f"ingestion_layer.sources.{name}")
