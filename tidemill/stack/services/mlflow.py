"""MLflow's tracking server and model registry, on SQLite and a local artifact folder."""

from functools import partial

from tidemill.config.installation import SET_UP
from tidemill.config.settings import Settings
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.http import get
from tidemill.stack.service import Endpoint, Launch, MissingPrerequisiteError, NotReadyError, Service


def services(settings: Settings) -> tuple[Service, ...]:
    address = endpoint(settings.mlflow.tracking_uri, "mlflow.tracking_uri")
    mlflow = Service(
        name="mlflow",
        title="MLflow",
        address=settings.mlflow.tracking_uri,
        endpoints=(address,),
        launch=partial(launch, settings, address),
        probe=partial(probe, settings),
        ready_timeout_s=300,
    )
    return (mlflow,)


def launch(settings: Settings, address: Endpoint) -> Launch:
    folder = settings.home / "mlflow"
    (folder / "artifacts").mkdir(parents=True, exist_ok=True)
    program = settings.platform_environment / "bin" / "mlflow"
    if not program.exists():
        raise MissingPrerequisiteError(f"no {program}: run `{SET_UP}`")
    options = {
        "--host": address.host,
        "--port": str(address.port),
        "--workers": "1",
        "--backend-store-uri": f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination": str(folder / "artifacts"),
        "--allowed-hosts": f"127.0.0.1:{address.port},localhost:{address.port}",
    }
    command = (str(program), "server", "--serve-artifacts", *(part for pair in options.items() for part in pair))
    return Launch(command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"})


def probe(settings: Settings, _since: float) -> None:
    """MLflow reports itself healthy."""
    answer = get(f"{settings.mlflow.tracking_uri.rstrip('/')}/health")
    if answer.text.strip() != "OK":
        raise NotReadyError(f"/health answered {answer.text.strip()[:100]!r}")
