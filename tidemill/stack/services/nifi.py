"""NiFi: optional flows from partners' files and servers into Kafka, drawn and watched in its web pages."""

import json
import shutil
from functools import partial
from pathlib import Path

from ingestion_layer.kafka.topics import create_topics
from ingestion_layer.nifi.installing import FlowInvalidError, install, installed
from ingestion_layer.nifi.rest import NifiAwayError, NifiRefusedError
from tidemill.config.environment import settings_environment
from tidemill.config.installation import IS_CLONE, packages_folder
from tidemill.config.settings import Settings
from tidemill.setup.nifi import is_made
from tidemill.stack.definitions import definitions_environment
from tidemill.stack.folders import Folders
from tidemill.stack.machine.addresses import endpoint
from tidemill.stack.machine.http import get
from tidemill.stack.machine.java import java_major, newer_java
from tidemill.stack.service import Endpoint, Launch, MissingPrerequisiteError, NotReadyError, Run, Service
from tidemill.stack.services.nifi_configuration import configuration_files, folder_of, parts_folder

LOGGING = Path(__file__).resolve().parent / "nifi-logback.xml"
MAKE_NIFI = "make setup-nifi" if IS_CLONE else "tidemill setup nifi"
"""What a person runs to have NiFi put together."""


def services(settings: Settings) -> tuple[Service, ...]:
    """Not started unless named."""
    address = endpoint(settings.nifi.url, "nifi.url")
    nifi = Service(
        name="nifi",
        title="NiFi and its web pages",
        address=f"{settings.nifi.url.rstrip('/')}/nifi",
        endpoints=(
            address,
            Endpoint("127.0.0.1", settings.nifi.management_port, "nifi.management_port"),
            Endpoint("127.0.0.1", settings.nifi.receiver_port, "nifi.receiver_port"),
        ),
        launch=partial(launch, settings, address),
        probe=partial(probe, settings),
        after=("kafka",),
        setup=partial(setup, settings),
        complete=partial(complete, settings),
        trouble=partial(trouble, settings),
        is_optional=True,
        ready_timeout_s=900,
        stop_timeout_s=40,
    )
    return (nifi,)


def launch(settings: Settings, address: Endpoint) -> Launch:
    parts, folder = parts_folder(settings), folder_of(settings)
    if not is_made(parts):
        raise MissingPrerequisiteError(f"no NiFi in {parts}: run `{MAKE_NIFI}`")
    java = newer_java(settings.nifi.java_home)
    command = (
        *("/bin/sh", "-c", 'cd "$0" && exec "$@"', str(folder)),  # some of its folders are always made where it runs
        *(java, f"-Xmx{settings.nifi.heap_mb}m", "-Xms256m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError"),
        *("-Djava.awt.headless=true", "-Dfile.encoding=UTF-8", "-Dsun.net.http.allowRestrictedHeaders=true"),
        *("--enable-native-access=ALL-UNNAMED", *_since_23(java)),
        f"-Djava.io.tmpdir={Folders.of(settings).temporary('nifi')}",
        f"-Dlogback.configurationFile={LOGGING}",
        f"-Dnifi.properties.file.path={folder / 'conf' / 'nifi.properties'}",
        f"-Dorg.apache.nifi.bootstrap.config.log.dir={folder / 'logs'}",
        f"-Dorg.apache.nifi.management.server.address=127.0.0.1:{settings.nifi.management_port}",
        *("-cp", f"{parts}/*", "org.apache.nifi.NiFi"),
    )
    environment = settings_environment(settings) | definitions_environment(settings)
    environment |= {
        "PLATFORM_PYTHON": str(settings.platform_environment / "bin" / "python"),
        "PLATFORM_PACKAGES": str(packages_folder()),
        "NIFI_INBOX": settings.expand(settings.nifi.inbox),
        "NIFI_RECEIVER_PORT": str(settings.nifi.receiver_port),
        "NIFI_PAGES": json.dumps([{"mapping": name, "url": url} for name, url in settings.nifi.pages.items()]),
        "NIFI_CLAIMED": str(folder / "claimed"),
    }
    return Launch(command, environment, configuration_files(settings, address))


def setup(settings: Settings, _run: Run) -> None:
    """Forgets which Python ran the processors, and makes what the flows look for."""
    shutil.rmtree(folder_of(settings) / "work" / "python", ignore_errors=True)
    Path(settings.expand(settings.nifi.inbox)).mkdir(parents=True, exist_ok=True)
    folder_of(settings).mkdir(exist_ok=True)
    create_topics(settings)


def complete(settings: Settings) -> None:
    """The flows are installed as their files say, and run."""
    try:
        install(settings)
    except (FlowInvalidError, NifiAwayError) as error:
        raise NotReadyError(str(error)) from error


def trouble(settings: Settings) -> str:
    """The flows that do not run as their files say; empty when all do."""
    try:
        flows = installed(settings)
    except (NifiAwayError, NifiRefusedError) as error:
        raise NotReadyError(str(error)) from error
    return "; ".join(f"flow {flow.name} is {flow.state}" for flow in flows if flow.state != "running")


def probe(settings: Settings, _since: float) -> None:
    """It has read its flow, and answers."""
    answer = get(f"{settings.nifi.url.rstrip('/')}/nifi-api/flow/about")
    if "about" not in answer.json():
        raise NotReadyError(f"/nifi-api/flow/about answered {answer.text[:100]!r}")


def _since_23(java: str) -> tuple[str, ...]:
    """Older ones take the option for a mistake; newer ones fill the log without it."""
    major = java_major(java)
    return ("--sun-misc-unsafe-memory-access=allow",) if major is not None and major >= 23 else ()
