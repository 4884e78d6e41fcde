"""The processes of the stack: whether each does its work, and how much memory it takes over time."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tidemill.config import Settings
from tidemill.stack.catalog import catalog
from tidemill.stack.folders import Folders
from tidemill.stack.service import NotReadyError, Service
from tidemill.stack.stream.progress import PREFIX, exposition
from tidemill.stack.supervision.daemon import service_record
from tidemill.stack.supervision.processes import Record, memory_bytes, tree

SERVICES = ("kafka", "redis", "mlflow", "stream", "model-server")
SETTLED_S = 180.0
"""A process younger than that has not reached its size."""
LONG_S = 600.0
"""A slope is of processes that were seen for so long after that."""
ALLOWED_GROWTH, ALLOWED_MB = 1.25, 96.0
"""What fills up within its bounds (a heap, a cache, the states of more customers) grows; a leak grows beyond both."""
FEWEST_SAMPLES = 6


@dataclass(frozen=True)
class Sample:
    """The memory of a service's process tree, ``age_s`` after it started (``started``, Unix seconds).

    Of the stream's heap counts what collections left in use: it takes what it may, and a leak stays in use.
    """

    at: float
    started: float
    mb: float

    @property
    def age_s(self) -> float:
        return self.at - self.started


@dataclass(frozen=True)
class Growth:
    """Medians of the first and the last third of the settled samples, and MB an hour within the lives of processes.

    ``slope`` is None where no process lived long enough.
    """

    service: str
    samples: int
    lives: int
    first_mb: float
    last_mb: float
    slope: float | None

    @property
    def is_leak(self) -> bool:
        return self.last_mb > self.first_mb * ALLOWED_GROWTH and self.last_mb > self.first_mb + ALLOWED_MB


class Processes:
    """The services of one stack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        found = catalog(settings)
        self._folders = Folders.of(settings)
        self._services = {name: found[name] for name in SERVICES}

    def record(self, service: str) -> Record | None:
        """The process of a service as it was started, None when it does not run."""
        record = service_record(self._folders, service)
        return record if record is not None and record.process() is not None else None

    def process(self, service: str) -> psutil.Process | None:
        record = self.record(service)
        return record.process() if record else None

    def workers(self) -> list[psutil.Process]:
        """The Python processes in which Spark's tasks run: children of its daemon."""
        stream = self.process("stream")
        family = tree(stream) if stream else []
        return [process for process in family if _is_daemon(process) and _is_daemon(process.parent())]

    def troubles(self) -> dict[str, str]:
        """What keeps each service that does not do its work."""
        told = {name: self._trouble(service) for name, service in self._services.items()}
        return {name: trouble for name, trouble in told.items() if trouble}

    def sample(self) -> dict[str, Sample]:
        samples = {}
        for name in SERVICES:
            record = self.record(name)
            process = record.process() if record else None
            unused = self._unused_heap() if name == "stream" else 0.0
            if record and process and unused is not None:
                mb = (memory_bytes(tree(process)) - unused) / 2**20
                samples[name] = Sample(time.time(), record.create_time, mb)
        return samples

    def _unused_heap(self) -> float | None:
        """Bytes of heap that the stream's JVM has taken beyond what is in use; None before it tells."""
        try:
            families = text_string_to_metric_families(exposition(self._settings))
            told = {sample.name: sample.value for family in families for sample in family.samples}
        except NotReadyError:
            return None
        committed, live = (told.get(f"{PREFIX}heap_{name}_bytes") for name in ("committed", "live"))
        return committed - live if committed and live else None

    def _trouble(self, service: Service) -> str:
        record = self.record(service.name)
        if record is None:
            return "it does not run"
        try:
            service.probe(record.create_time)
            return service.trouble()
        except NotReadyError as error:
            return str(error)


def growth(service: str, samples: Sequence[Sample]) -> Growth | None:
    """How the memory of a service grew; None when too little of it was seen."""
    settled = [sample for sample in samples if sample.age_s >= SETTLED_S]
    if len(settled) < FEWEST_SAMPLES:
        return None
    third = len(settled) // 3
    first, last = (statistics.median(sample.mb for sample in part) for part in (settled[:third], settled[-third:]))
    lives: dict[float, list[Sample]] = {}
    for sample in settled:
        lives.setdefault(sample.started, []).append(sample)
    return Growth(service, len(settled), len(lives), first, last, _slope(lives))


def _slope(lives: Mapping[float, Sequence[Sample]]) -> float | None:
    """MB an hour by least squares, each life around its own means, so that a restart is no growth."""
    across = along = 0.0
    for samples in (life for life in lives.values() if life[-1].at - life[0].at >= LONG_S):
        age = statistics.fmean(sample.age_s for sample in samples)
        size = statistics.fmean(sample.mb for sample in samples)
        across += sum((sample.age_s - age) * (sample.mb - size) for sample in samples)
        along += sum((sample.age_s - age) ** 2 for sample in samples)
    return across / along * 3600 if along else None


def _is_daemon(process: psutil.Process | None) -> bool:
    try:
        return process is not None and "pyspark.daemon" in process.cmdline()
    except psutil.Error:
        return False
