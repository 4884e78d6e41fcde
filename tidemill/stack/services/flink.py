"""Flink's job manager and task manager, and what keeps the deployed jobs running on them."""

import sys
from functools import partial
from pathlib import Path

from stream_processing.flink.cluster import ClusterAwayError
from stream_processing.flink.configuration import (
    JAVA_OPTIONS,
    cluster_yaml,
    configuration_folder,
    connector_jars,
    home_of_flink,
)
from stream_processing.flink.deployments import deployments
from stream_processing.flink.memory import TaskManagerMemory, job_manager_java_options
from stream_processing.flink.overview import troubled
from tidemill.config.environment import settings_environment
from tidemill.config.installation import IS_CLONE
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.http import get
from tidemill.stack.machine.java import java_binary
from tidemill.stack.service import Endpoint, Launch, MissingPrerequisiteError, NotReadyError, Service

LOGGING = Path(__file__).resolve().parent / "flink-log4j2.properties"
JOB_MANAGER, TASK_MANAGER, JOBS = "flink-job-manager", "flink-task-manager", "flink-jobs"
MAKE_FLINK = "make setup-flink" if IS_CLONE else "tidemill setup flink"
"""What a person runs to have Flink's environment and jars made."""
PATIENT = "-Dpekko.remote.classic.startup-timeout=120s"
"""Ten seconds are too few on a busy machine. Flink's ``pekko.startup-timeout`` sets a key that Pekko does not read."""


def services(settings: Settings) -> tuple[Service, ...]:
    """Not started unless named or, once a job is deployed, needed."""
    address = endpoint(settings.flink.url, "flink.url")
    is_optional = not any(deployment.is_wanted for deployment in deployments(settings))
    job_manager = Service(
        name=JOB_MANAGER,
        title="Flink job manager and web pages",
        address=settings.flink.url,
        endpoints=(address, Endpoint(address.host, settings.flink.rpc_port, "flink.rpc_port")),
        launch=partial(launch_job_manager, settings),
        probe=partial(probe_job_manager, settings),
        is_optional=is_optional,
    )
    task_manager = Service(
        name=TASK_MANAGER,
        title="Flink task manager",
        address="",
        launch=partial(launch_task_manager, settings),
        probe=partial(probe_task_manager, settings),
        after=(JOB_MANAGER,),
        is_optional=is_optional,
    )
    jobs = Service(
        name=JOBS,
        title="What keeps Flink's jobs running",
        address="",
        launch=partial(launch_jobs, settings),
        probe=partial(probe_job_manager, settings),
        trouble=partial(trouble, settings),
        after=("kafka", JOB_MANAGER, TASK_MANAGER),
        is_optional=is_optional,
    )
    return (job_manager, task_manager, jobs) if address.is_local else (job_manager, jobs)


def launch_job_manager(settings: Settings) -> Launch:
    program = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
    options = job_manager_java_options(settings.flink.job_manager_mb)
    return _java(settings, JOB_MANAGER, options, program)


def launch_task_manager(settings: Settings) -> Launch:
    options = TaskManagerMemory.of(settings.flink.task_manager_mb).java_options()
    return _java(settings, TASK_MANAGER, options, "org.apache.flink.runtime.taskexecutor.TaskManagerRunner")


def launch_jobs(settings: Settings) -> Launch:
    return Launch((sys.executable, "-m", "stream_processing.flink"), settings_environment(settings))


def probe_job_manager(settings: Settings, _since: float) -> None:
    """It answers."""
    get(f"{settings.flink.url.rstrip('/')}/overview")


def probe_task_manager(settings: Settings, since: float) -> None:
    """The job manager has heard it since it was started."""
    known = get(f"{settings.flink.url.rstrip('/')}/taskmanagers").json()["taskmanagers"]
    if not any(manager["timeSinceLastHeartbeat"] / 1000 >= since for manager in known):
        raise NotReadyError("the job manager has not heard it since it was started")


def trouble(settings: Settings) -> str:
    """The deployed jobs that do not run, each with its state; empty when all do."""
    try:
        return "; ".join(troubled(settings))
    except ClusterAwayError as error:
        raise NotReadyError(str(error)) from error


def _java(settings: Settings, service: str, options: tuple[str, ...], program: str) -> Launch:
    jars = home_of_flink(settings) / "lib"
    if not any(jars.glob("flink-dist-*.jar")) or not connector_jars(settings):
        raise MissingPrerequisiteError(
            f"no Flink in {settings.flink.environment}, or no jars of it: run `{MAKE_FLINK}`"
        )
    classes = ":".join([f"{jars}/*", *map(str, connector_jars(settings))])
    temporary = Folders.of(settings).temporary(service)
    logging = f"-Dlog4j.configurationFile={LOGGING}"
    command = (
        *(java_binary(), *options, "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", *JAVA_OPTIONS, PATIENT, logging),
        *(f"-Djava.io.tmpdir={temporary}", "-cp", classes, program),
        *("--configDir", str(configuration_folder(settings)), "-D", f"io.tmp.dirs={temporary}"),
    )
    return Launch(command, files={str(configuration_folder(settings) / "config.yaml"): cluster_yaml(settings)})
