"""What lives as long as the server: champions, their refreshers, the feature probe, the log, the threads that score."""

import math

from model_serving.asked import asked_of
from model_serving.batching import Batcher
from model_serving.breaker import CircuitBreaker
from model_serving.champion import ChampionHolder
from model_serving.features import FAILURES
from model_serving.periodic import Periodic
from model_serving.prediction_log import PredictionLog
from model_serving.reasons import ReasonDesk
from model_serving.schemas import Dependency, Readiness
from tidemill.config import Settings

THREADS = 1
MAX_BATCH_ROWS = 256
PROBE_S = 1.0
STOP_S = 5.0


class Server:
    """The parts behind the routes; made without touching the network, which :meth:`start` does in the background."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.breaker = CircuitBreaker(FAILURES)
        self.asked = {name: asked_of(name) for name in settings.serving.use_cases}
        self.holders = {name: ChampionHolder(settings, asked, self.breaker) for name, asked in self.asked.items()}
        self.log = PredictionLog(settings)
        self.batcher = Batcher(THREADS, MAX_BATCH_ROWS)
        self.reasons = ReasonDesk(settings.serving.explain_timeout_s)
        self._periodic = [
            Periodic(f"refresh-{name}", settings.serving.reload_s, holder.refresh)
            for name, holder in self.holders.items()
        ]
        self._periodic.append(Periodic("feature-probe", PROBE_S, self._probe_features))

    @property
    def retry_after_s(self) -> int:
        """When a client may ask again after it was told that there is no model."""
        return math.ceil(self.settings.serving.reload_s)

    def start(self) -> None:
        self.log.start()
        self.batcher.start()
        for periodic in self._periodic:
            periodic.start()

    def stop(self) -> None:
        """Requests have ended: let the log send what it has, and end the threads."""
        self.batcher.stop()
        self.reasons.stop()
        self.log.close(STOP_S)
        for periodic in self._periodic:
            periodic.stop(STOP_S / len(self._periodic))

    def readiness(self) -> Readiness:
        """What background threads last saw of each dependency; asking costs nothing."""
        dependencies = {f"model/{name}": _model(holder) for name, holder in self.holders.items()}
        dependencies["registry"] = self._registry()
        dependencies["feature_store"] = self._feature_store()
        dependencies["prediction_log"] = self._prediction_log()
        states = {dependency.state for dependency in dependencies.values()}
        # A use case that was never trained takes no other out of service; one that is being looked for may be there.
        if "loading" in states or all(holder.champion is None for holder in self.holders.values()):
            return Readiness(status="unavailable", dependencies=dependencies)
        return Readiness(status="ready" if states == {"ok"} else "degraded", dependencies=dependencies)

    def _probe_features(self) -> None:
        for holder in self.holders.values():
            if holder.champion is not None:
                holder.champion.source.probe()

    def _registry(self) -> Dependency:
        errors = [holder.registry_error for holder in self.holders.values() if holder.registry_error]
        if errors:
            return Dependency(state="unavailable", detail=errors[0])
        return Dependency(state="ok", detail=self.settings.mlflow.tracking_uri)

    def _feature_store(self) -> Dependency:
        error = self.breaker.error
        if error is not None:
            return Dependency(state="unavailable" if self.breaker.is_open else "degraded", detail=error)
        champions = [holder.champion for holder in self.holders.values() if holder.champion]
        if troubles := [one.source.trouble for one in champions if one.source.trouble]:
            return Dependency(state="degraded", detail=troubles[0])
        return Dependency(state="ok", detail=f"{self.settings.redis.host}:{self.settings.redis.port}")

    def _prediction_log(self) -> Dependency:
        counts = f"{self.log.waiting} waiting, {self.log.dropped} dropped"
        if self.log.error is not None:
            return Dependency(state="unavailable", detail=f"{counts}: {self.log.error}")
        return Dependency(state="ok", detail=counts)


def _model(holder: ChampionHolder) -> Dependency:
    champion = holder.champion
    if champion is None and (error := holder.load_error or holder.registry_error):
        return Dependency(state="unavailable", detail=error)
    if champion is None:
        return Dependency(state="loading", detail="looking for the champion")
    version = f"version {champion.model.version} ({champion.model.identity})"
    if holder.load_error is not None:
        return Dependency(state="degraded", detail=f"{version} stays: {holder.load_error}")
    return Dependency(state="degraded" if champion.is_cached else "ok", detail=version)
