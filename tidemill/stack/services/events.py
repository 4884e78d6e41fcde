"""The server that takes events over HTTP."""

from functools import partial

import httpx

from tidemill.config.environment import settings_environment
from tidemill.config.installation import SET_UP
from tidemill.config.settings import Settings
from tidemill.stack.definitions import definitions_environment
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.http import get
from tidemill.stack.service import Launch, MissingPrerequisiteError, NotReadyError, Service


def services(settings: Settings) -> tuple[Service, ...]:
    """Not started unless it is named."""
    events = Service(
        name="events",
        title="Events over HTTP",
        address=settings.events.url,
        endpoints=(endpoint(settings.events.url, "events.url"),),
        launch=partial(launch, settings),
        probe=partial(probe, settings),
        after=("kafka",),
        is_optional=True,
        stop_timeout_s=settings.events.acknowledge_timeout_s + 20,
    )
    return (events,)


def launch(settings: Settings) -> Launch:
    python = settings.platform_environment / "bin" / "python"
    if not python.exists():
        raise MissingPrerequisiteError(f"no {python}: run `{SET_UP}`")
    return Launch(
        (str(python), "-m", "ingestion_layer.http"), settings_environment(settings) | definitions_environment(settings)
    )


def probe(settings: Settings, _since: float) -> None:
    """It answers, and so does the broker to it."""
    readiness = get(f"{settings.events.url.rstrip('/')}/readyz", also=httpx.codes.SERVICE_UNAVAILABLE).json()
    for name, dependency in readiness["dependencies"].items():
        if dependency["state"] != "ok":
            raise NotReadyError(f"{name}: {dependency['detail']}")
