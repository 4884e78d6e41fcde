"""What lives as long as the server: champions, their refreshers, the feature probe, the log, the threads that score."""

import math

from model_serving.arms import HANDOVER_S, Arms
from model_serving.asked import asked_of
from model_serving.batching import Batcher
from model_serving.breaker import CircuitBreaker
from model_serving.challenger import REFRESH_S, ChallengerHolder
from model_serving.champion import ChampionHolder
from model_serving.desk import Desk
from model_serving.features import FAILURES
from model_serving.prediction_log import PredictionLog
from model_serving.reasons import ReasonDesk
from model_serving.schemas import Arm, Dependency, Readiness
from model_serving.shadow import Shadow
from model_serving.traffic import FOLLOW_S, TrafficFollower, named
from tidemill.config import Settings
from tidemill.web.periodic import Periodic

THREADS = 1
MAX_BATCH_ROWS = 256
PROBE_S = 1.0
SCORE_STOP_S = 2.0
STOP_S = 5.0


class Server:
    """The parts behind the routes; made without touching the network, which :meth:`start` does in the background."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.breaker = CircuitBreaker(FAILURES)
        self.asked = {name: asked_of(name) for name in settings.serving.use_cases}
        self.holders = {name: ChampionHolder(settings, asked, self.breaker) for name, asked in self.asked.items()}
        self.traffic = TrafficFollower(settings, self.asked)
        self.arms = {name: self._arms(holder) for name, holder in self.holders.items()}
        self.log = PredictionLog(settings)
        self.batcher = Batcher(THREADS, MAX_BATCH_ROWS)
        self.shadow = Shadow(self.log, settings.serving.shadow_queue)
        self.reasons = ReasonDesk(settings.serving.explain_timeout_s)
        # Half of the time: the champion has the rest, when they do not come.
        self.challengers_reasons = ReasonDesk(settings.serving.explain_timeout_s / 2)
        reasons = {Arm.CHAMPION: self.reasons, Arm.CHALLENGER: self.challengers_reasons}
        self.desks = {
            name: Desk(asked, self.arms[name], self.batcher, reasons, settings.serving.challenger_timeout_s)
            for name, asked in self.asked.items()
        }
        self._periodic = [
            Periodic(f"refresh-{name}", settings.serving.reload_s, holder.refresh)
            for name, holder in self.holders.items()
        ]
        self._periodic += [
            Periodic(f"challenger-{name}", REFRESH_S, arms.challenger.refresh) for name, arms in self.arms.items()
        ]
        self._periodic.append(Periodic("traffic", FOLLOW_S, self.traffic.refresh))
        self._periodic.append(Periodic("feature-probe", PROBE_S, self._probe_features))

    def _arms(self, holder: ChampionHolder) -> Arms:
        challenger = ChallengerHolder(self.settings, holder, self.breaker, lambda: self.arms[holder.use_case].named)
        return Arms(self.traffic, holder, challenger, self.settings.serving.reload_s + HANDOVER_S)

    @property
    def retry_after_s(self) -> int:
        """When a client may ask again after it was told that there is no model."""
        return math.ceil(self.settings.serving.reload_s)

    def start(self) -> None:
        self.log.start()
        self.batcher.start()
        self.shadow.start()
        for periodic in self._periodic:
            periodic.start()

    def stop(self) -> None:
        """Requests have ended: let the log send what it has, and end the threads; one that hangs is left behind."""
        self.batcher.stop(SCORE_STOP_S)
        self.shadow.stop()
        self.reasons.stop()
        self.challengers_reasons.stop()
        self.log.close(STOP_S)
        for periodic in self._periodic:
            periodic.stop(STOP_S / len(self._periodic))
        for arms in self.arms.values():
            arms.challenger.stop()
        self.traffic.close()

    def readiness(self) -> Readiness:
        """What background threads last saw of each dependency; asking costs nothing."""
        dependencies = {f"model/{name}": _model(holder) for name, holder in self.holders.items()}
        dependencies |= {
            f"challenger/{name}": _challenger(arms) for name, arms in self.arms.items() if arms.named is not None
        }
        dependencies["registry"] = self._registry()
        dependencies["feature_store"] = self._feature_store()
        dependencies["prediction_log"] = self._prediction_log()
        dependencies["control_store"] = self._control_store()
        states = {dependency.state for dependency in dependencies.values()}
        # A use case that was never trained takes no other out of service; one that is being looked for may be there.
        if "loading" in states or all(holder.champion is None for holder in self.holders.values()):
            return Readiness(status="unavailable", dependencies=dependencies)
        return Readiness(status="ready" if states == {"ok"} else "degraded", dependencies=dependencies)

    def _probe_features(self) -> None:
        for source in {loaded.source for arms in self.arms.values() for loaded in arms.loaded}:
            source.probe()

    def _registry(self) -> Dependency:
        errors = [holder.registry_error for holder in self.holders.values() if holder.registry_error]
        if errors:
            return Dependency(state="unavailable", detail=errors[0])
        return Dependency(state="ok", detail=self.settings.mlflow.tracking_uri)

    def _feature_store(self) -> Dependency:
        error = self.breaker.error
        if error is not None:
            return Dependency(state="unavailable" if self.breaker.is_open else "degraded", detail=error)
        sources = [loaded.source for arms in self.arms.values() for loaded in arms.loaded]
        if troubles := [source.trouble for source in sources if source.trouble]:
            return Dependency(state="degraded", detail=troubles[0])
        return Dependency(state="ok", detail=f"{self.settings.redis.host}:{self.settings.redis.port}")

    def _prediction_log(self) -> Dependency:
        counts = f"{self.log.waiting} waiting, {self.log.dropped} dropped"
        if self.log.error is not None:
            return Dependency(state="unavailable", detail=f"{counts}: {self.log.error}")
        return Dependency(state="ok", detail=counts)

    def _control_store(self) -> Dependency:
        """Away, it fails nothing: the traffic stays as it was."""
        told = "; ".join(_traffic(arms) for arms in self.arms.values() if arms.rollout is not None)
        if (trouble := self.traffic.trouble) is not None:
            return Dependency(state="degraded", detail=f"{told or 'the champions answer all'}: {trouble}")
        return Dependency(state="ok", detail=told or "no rollout was ever started: the champions answer all")


def _traffic(arms: Arms) -> str:
    rollout = arms.rollout
    if rollout is None:
        return ""
    traffic = rollout.traffic
    told = f"{rollout.use_case}: epoch {rollout.epoch}, {traffic.policy}"
    return told if traffic.challenger is None else f"{told}, version {traffic.challenger.version} {traffic.share} %"


def _challenger(arms: Arms) -> Dependency:
    ref = arms.named
    if ref is None:
        return Dependency(state="ok", detail="no challenger any more")
    if (trouble := arms.challenger.trouble(ref)) is not None:
        return Dependency(state="degraded", detail=f"the champion answers in its place: {trouble}")
    if arms.challenger.is_named(ref) is None:
        return Dependency(state="degraded", detail=f"{named(ref)} is being loaded; the champion answers all until then")
    return Dependency(state="ok", detail=named(ref))


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
