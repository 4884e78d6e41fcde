"""Airflow's four services, in their own Python environment."""

from datetime import datetime
from functools import partial

from tidemill.config.installation import SET_UP
from tidemill.config.settings import Settings
from tidemill.config.user import check_named
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.http import get
from tidemill.stack.service import Launch, MissingPrerequisiteError, NotReadyError, Run, Service

API_SERVER = "api-server"
TITLES = {
    API_SERVER: "Airflow UI and REST API",
    "scheduler": "Airflow scheduler",
    "dag-processor": "Airflow DAG processor",
    "triggerer": "Airflow triggerer",
}
# Airflow's name for each component in the answer of its health endpoint, and for its last heartbeat.
HEALTH = {
    API_SERVER: "metadatabase",
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


def services(settings: Settings) -> tuple[Service, ...]:
    return tuple(_service(settings, component) for component in TITLES)


def _service(settings: Settings, component: str) -> Service:
    is_server = component == API_SERVER
    return Service(
        name=f"airflow-{component}",
        title=TITLES[component],
        address=settings.airflow.url if is_server else "",
        endpoints=(endpoint(settings.airflow.url, "airflow.url"),) if is_server else (),
        launch=partial(launch, settings, component),
        setup=partial(setup, settings) if is_server else _done_by_the_server,
        probe=partial(probe, settings, component),
        after=() if is_server else (f"airflow-{API_SERVER}",),
        ready_timeout_s=400,
        stop_timeout_s=30,
    )


def _done_by_the_server(_run: Run) -> None:
    """The metadata database is migrated before the API server starts, which the others wait for."""


def launch(settings: Settings, component: str) -> Launch:
    from airflow_orchestration.environment import airflow_environment
    from airflow_orchestration.processes import service_commands

    check_named()
    installed_version(settings)
    return Launch(tuple(service_commands(settings)[component]), airflow_environment(settings))


def setup(settings: Settings, run: Run) -> None:
    """Migrates the metadata database and makes the pools, once for each version of Airflow and each database."""
    from airflow_orchestration.environment import airflow_environment, airflow_home
    from airflow_orchestration.processes import initialisation_commands

    stamp = airflow_home(settings) / ".initialised"
    commands = [tuple(command) for command in initialisation_commands(settings)]
    wanted = f"{installed_version(settings)}\n{settings.airflow.database}\n{commands}\n"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    environment = airflow_environment(settings)
    for command in commands:
        run(Launch(command, environment))
    stamp.touch(mode=0o600)
    stamp.write_text(wanted, encoding="utf-8")


def probe(settings: Settings, component: str, since: float) -> None:
    """Airflow reports the component healthy, by a heartbeat later than its start."""
    health = get(f"{settings.airflow.url.rstrip('/')}/api/v2/monitor/health").json()
    name = HEALTH[component]
    report = health.get(name) or {}
    if report.get("status") != "healthy":
        raise NotReadyError(f"Airflow reports its {name} as {report.get('status')}")
    heartbeat = report.get(f"latest_{name}_heartbeat")
    if component != API_SERVER and (not heartbeat or datetime.fromisoformat(heartbeat).timestamp() < since):
        raise NotReadyError(f"no heartbeat of the {name} since it was started")


def installed_version(settings: Settings) -> str:
    """The name and version of the Airflow in its environment, such as ``apache_airflow-3.3.2``.

    Raises:
        MissingPrerequisiteError: there is none.
    """
    environment = settings.airflow.environment
    found = sorted(environment.glob("lib/python3*/site-packages/apache_airflow-*.dist-info"))
    if not found or not (environment / "bin" / "airflow").exists():
        raise MissingPrerequisiteError(f"no Airflow in {environment}: run `{SET_UP}`")
    return found[-1].stem
