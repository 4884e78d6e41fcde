"""The model server."""

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
    """None where no use case is served, as in a project that has no model yet."""
    if not settings.serving.use_cases:
        return ()
    server = Service(
        name="model-server",
        title="Model server",
        address=settings.serving.url,
        endpoints=(endpoint(settings.serving.url, "serving.url"),),
        launch=partial(launch, settings),
        probe=partial(probe, settings),
        after=("kafka", "redis", "mlflow"),
        ready_timeout_s=300,
        stop_timeout_s=40,
    )
    return (server,)


def launch(settings: Settings) -> Launch:
    python = settings.platform_environment / "bin" / "python"
    if not python.exists():
        raise MissingPrerequisiteError(f"no {python}: run `{SET_UP}`")
    return Launch(
        (str(python), "-m", "model_serving"), settings_environment(settings) | definitions_environment(settings)
    )


def probe(settings: Settings, _since: float) -> None:
    """It answers, and has loaded the champion or found that there is none: its ``/readyz`` says which."""
    readiness = get(f"{settings.serving.url.rstrip('/')}/readyz", also=httpx.codes.SERVICE_UNAVAILABLE).json()
    for name, dependency in readiness["dependencies"].items():
        if dependency["state"] == "loading":
            raise NotReadyError(f"{name}: {dependency['detail']}")
