"""Flink's own configuration, made from the settings: of the managers, and of who submits a job to them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from stream_processing.flink.memory import TaskManagerMemory
from tidemill.config.errors import ConfigError
from tidemill.config.settings import Settings

OPENED = (
    *("java.base/java.lang", "java.base/java.net", "java.base/java.io", "java.base/java.nio", "java.base/sun.nio.ch"),
    *("java.base/java.lang.reflect", "java.base/java.text", "java.base/java.time", "java.base/java.util"),
    *(
        "java.base/java.util.concurrent",
        "java.base/java.util.concurrent.atomic",
        "java.base/java.util.concurrent.locks",
    ),
)
"""Packages of Java that Flink reaches into."""
JAVA_OPTIONS = tuple(f"--add-opens={package}=ALL-UNNAMED" for package in OPENED)


BACKENDS = {"disk": "rocksdb", "memory": "hashmap"}
"""What Flink calls the places of a job's state. On disk, the number of open windows does not fill the heap."""


def folder(settings: Settings) -> Path:
    """Of the local cluster's own files in the home folder."""
    return settings.home / "flink"


def configuration_folder(settings: Settings) -> Path:
    return folder(settings) / "conf"


def home_of_flink(settings: Settings) -> Path:
    """The folder of Flink inside its Python package; where there is none, one that is not there."""
    there = sorted(settings.flink.environment.glob("lib/python3*/site-packages/pyflink"))
    return there[-1] if there else settings.flink.environment / "pyflink"


def connector_jars(settings: Settings) -> list[Path]:
    return sorted((settings.spark.jars.parent / "flink").glob("*.jar"))


def file_uri(path: Path) -> str:
    """``path`` as Flink reads and writes one: a space or an umlaut is itself, and ``%20`` is three characters."""
    return f"file://{path}"


def path_of(uri: str) -> Path:
    """The path of a :func:`file_uri`, also of one without the empty host, as Flink writes it."""
    return Path(re.sub("^file:(//)?", "", uri))


def checkpoints(settings: Settings, job: str) -> str:
    """The URI below which the checkpoints of ``job`` lie."""
    return f"{_state(settings)}/checkpoints/{job}"


def savepoints(settings: Settings, job: str) -> str:
    """The URI below which the savepoints of ``job`` lie."""
    return f"{_state(settings)}/savepoints/{job}"


def attempt_savepoints(settings: Settings, job: str, job_id: str) -> str:
    """The URI below which those savepoints of ``job`` lie that it made under ``job_id``."""
    return f"{savepoints(settings, job)}/{job_id}"


def _state(settings: Settings) -> str:
    place = settings.expand(settings.flink.state).rstrip("/").removeprefix("file://")
    if "://" in place:
        raise ConfigError(
            f"flink.state = {settings.flink.state!r}: give a folder, of a shared file system if Flink is elsewhere: "
            "the newest checkpoint is looked for in it"
        )
    return file_uri(Path(place))


def cluster_yaml(settings: Settings) -> str:
    """The text of ``config.yaml``."""
    return yaml.safe_dump(dict(cluster_configuration(settings)), sort_keys=True, width=10_000)


def cluster_configuration(settings: Settings) -> Mapping[str, str | int]:
    """What both managers are told; everything listens on the host of ``flink.url`` alone."""
    url = urlsplit(settings.flink.url)
    host, port = url.hostname or "127.0.0.1", url.port or 80
    return {
        "jobmanager.rpc.address": host,
        "jobmanager.rpc.port": settings.flink.rpc_port,
        "jobmanager.bind-host": host,
        "rest.address": host,
        "rest.port": port,
        "rest.bind-address": host,
        "rest.bind-port": str(port),
        "web.submit.enable": "false",  # a web page that takes any jar is a way in for anybody on this machine
        # Flink's own pages only: its default lets each page that is open in a browser read what the manager tells.
        "web.access-control-allow-origin": settings.flink.url.rstrip("/"),
        "taskmanager.host": host,
        "taskmanager.bind-host": host,
        "taskmanager.numberOfTaskSlots": settings.flink.slots,
        "taskmanager.cpu.cores": str(float(settings.flink.slots)),
        "pekko.ask.timeout": "1 min",  # ten seconds are too few on a laptop that starts a whole stack at once
        # Most events are asked for that are not there yet; and an index of a whole file would push out of the little
        # memory what is asked for next.
        "state.backend.rocksdb.use-bloom-filter": "true",
        "state.backend.rocksdb.memory.partitioned-index-filters": "true",
        "env.java.opts.all": " ".join(JAVA_OPTIONS),
        **TaskManagerMemory.of(settings.flink.task_manager_mb).configuration(),
    }


def job_configuration(
    settings: Settings, program: Mapping[str, Any], job_id: str, restore: str | None
) -> Mapping[str, str]:
    """What a submission is told; ``restore`` is the checkpoint or savepoint that the job goes on from."""
    job, state = str(program["job"]), program.get("state", "disk")  # which a record of before does not say
    remembers_s = float(program.get("remembers_s", 86_400))
    url = urlsplit(settings.flink.url)
    every = f"{int(settings.flink.checkpoint_s * 1000)} ms"
    configuration = {
        "execution.target": "remote",
        "execution.attached": "false",
        "rest.address": url.hostname or "127.0.0.1",
        "rest.port": str(url.port or 80),
        "pipeline.name": job,
        "$internal.pipeline.job-id": job_id,
        "parallelism.default": str(settings.flink.parallelism),
        "table.local-time-zone": "UTC",
        "table.exec.uid.generation": "ALWAYS",
        "state.backend.type": BACKENDS[state],
        # What a query remembers of each event, as one that leaves out repetitions does; windows know their own end.
        "table.exec.state.ttl": f"{round(remembers_s * 1000)} ms",
        "pipeline.auto-watermark-interval": "100 ms",
        "execution.checkpointing.interval": every,
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.dir": checkpoints(settings, job),
        "execution.checkpointing.savepoint-dir": attempt_savepoints(settings, job, job_id),
        # Kept when the job ends or its manager dies: it is what the next attempt goes on from.
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "execution.checkpointing.num-retained": "2",
        "execution.checkpointing.tolerable-failed-checkpoints": "1000000",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }
    return configuration | ({"execution.state-recovery.path": restore} if restore else {})
