"""A use case that is rolled out: real models in the registry, and a log of answers as the servers write it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from data_lake.delta_rs import open_table
from data_lake.tables import silver
from ml_modeling.registry import CHAMPION, tags
from ml_modeling.registry.answers import answer
from ml_modeling.registry.connection import connect
from ml_modeling.registry.promotion import promote
from ml_modeling.registry.served import METADATA_KEY, ServingSpec, stored_digest
from ml_modeling.registry.versions import Version, behind_alias, register
from ml_modeling.specification import Rollout as RolloutSpec
from monitoring.control import Ask, ControlStore, RetrainRequest, Rollout, Source, State
from monitoring.rollout.work import Place, Work
from tests.cases.answers_logged import logged
from tests.cases.control_stores import NO_LIMITS, SetClock, request
from tests.cases.retrain_worker import fast
from tidemill.config import Settings

LOG = silver("serving.prediction.v1")
FEATURES = ("age", "spend", "visits")
SCALES = (3, 50, 7)
ROLLOUT = pa.schema(
    [("arm", pa.string()), ("epoch", pa.int64()), ("ms", pa.float64()), ("challenger_failed", pa.bool_())]
)
"""The columns of the log that a rollout reads; one of before has none of them."""
CHAMPIONS, CHALLENGERS = 1.0, 1.3
"""How strongly the two models believe in what they see: their scores differ, and hardly their decisions."""


@dataclass(frozen=True)
class Model:
    """A registered version, and what answers in its place here."""

    version: Version
    spec: ServingSpec
    pipeline: Pipeline

    def scores(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        answered: Any = answer(self.spec, self.pipeline, rows)
        scores: NDArray[np.float64] = answered.scores
        return scores


@dataclass
class Case:
    """One use case with a lake of its own; ``clock`` is the control store's, which is at ``control_url``."""

    settings: Settings
    control_url: str
    store: ControlStore
    clock: SetClock
    name: str = field(default_factory=lambda: f"model-{uuid.uuid4().hex[:8]}")
    numbers: Any = field(default_factory=count)
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    @property
    def place(self) -> Place:
        return Place(self.settings, self.store, self.name, "conductor")

    def work(self, who: str = "conductor", **rollout: Any) -> Work:
        """``rollout`` is what its model.yaml says of it; no step needs more than 40 answers."""
        use_case = fast(self.name)
        spec = RolloutSpec.model_validate({"step_minutes": 5, "min_answers": 40, **rollout})
        changed = replace(use_case, spec=use_case.spec.model_copy(update={"rollout": spec}))
        return Work(Place(self.settings, self.store, self.name, who), changed)

    def model(self, strength: float = CHALLENGERS, verdict: str = tags.PASSED, override: str = "") -> Model:
        """A version as training, gates and registration leave it, judged against today's champion."""
        run_id, spec, pipeline = self.trained(strength)
        champion = behind_alias(self.settings, self.name, CHAMPION)
        judged = {
            tags.GATE: verdict,
            tags.GATE_CHAMPION: champion.version if champion else "",
            tags.GATE_CHAMPION_MODEL: champion.identity.key if champion else "",
            tags.GATE_REASONS: "" if verdict == tags.PASSED else "floor of roc_auc: 0.5",
        }
        for key, value in judged.items():
            connect(self.settings).set_tag(run_id, key, value)
        return Model(register(self.settings, self.name, run_id, override), spec, pipeline)

    def trained(self, strength: float) -> tuple[str, ServingSpec, Pipeline]:
        connect(self.settings)
        rows = self.rows(400)
        labels = (strength * (rows[:, 0] / 3 + rows[:, 1] / 50) + self.random.normal(size=400) > 0).astype(int)
        pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]).fit(rows, labels)
        spec = ServingSpec(
            use_case=self.name,
            feature_service="churn",
            feature_fingerprint="00ff",
            features=FEATURES,
            threshold=0.5,
            decisions=("stays", "churns"),
            cold_start_score=0.25,
        )
        mlflow.set_experiment(self.name)
        with mlflow.start_run() as run:
            stored = mlflow.sklearn.log_model(
                pipeline,
                name="model",
                serialization_format="skops",
                pip_requirements=["scikit-learn"],
                metadata={METADATA_KEY: spec.model_dump(mode="json")},
            )
            uri = f"models:/{stored.model_id}"
            own = {tags.USE_CASE: self.name, tags.MODEL_URI: uri, tags.DIGEST: stored_digest(self.settings, uri)}
            mlflow.set_tags(own)
        return run.info.run_id, spec, pipeline

    def champion(self) -> Model:
        """A first champion."""
        model = self.model(CHAMPIONS)
        promote(self.settings, self.name, model.version.version, "the first", "ada")
        return model

    def rows(self, count: int) -> NDArray[np.float64]:
        return self.random.normal(size=(count, len(FEATURES))) * SCALES

    def say(
        self,
        model: Model,
        count: int,
        *,
        arm: str | None = None,
        epoch: int | None = None,
        ms: float = 5.0,
        failed: int = 0,
        shift: float = 0.0,
        at: datetime | None = None,
        about: str | None = None,
    ) -> None:
        """``count`` answers of ``model``; the first ``failed`` were the challenger's to give, and it could not.

        Each is about a customer of its own unless they are all ``about`` one.
        """
        rows = self.rows(count)
        scores = np.clip(model.scores(rows) + shift, 0.0, 1.0)
        begin = at or self.clock.now
        said = [
            self._answer(model, row, float(score), begin + timedelta(milliseconds=number), about)
            | {"arm": arm, "epoch": epoch, "ms": ms, "challenger_failed": number < failed if failed else None}
            for number, (row, score) in enumerate(zip(rows, scores, strict=True))
        ]
        self.write(said)

    def _answer(
        self, model: Model, row: NDArray[np.float64], score: float, at: datetime, about: str | None
    ) -> dict[str, Any]:
        number = next(self.numbers)
        identity = model.version.identity
        return logged(
            self.name,
            f"e{number}",
            at,
            {"customer_id": about or f"c{number}"},
            score=score,
            decision="churns" if score >= model.spec.threshold else "stays",
            model_version=model.version.version,
            model_run_id=identity.run_id,
            model_id=identity.model_id,
            feature_fingerprint="00ff",
            features=[*zip(FEATURES, row.tolist(), strict=True)],
        )

    def write(self, said: Sequence[dict[str, Any]]) -> None:
        delta = open_table(LOG, self.settings)
        own = pa.schema(delta.schema().to_arrow())
        new = [column for column in ROLLOUT if column.name not in own.names]
        schema = pa.schema([*own, *new])
        write_deltalake(delta, pa.Table.from_pylist(list(said), schema=schema), mode="append", schema_mode="merge")

    def step_passes(self, champion: Model, challenger: Model, now: Rollout, failed: int = 0, **changed: Any) -> None:
        """A step's answers of both arms under the traffic of ``now``, and its time; the challenger has 200 requests.

        The ``failed`` of them the champion answers, slowly: it waited for the challenger first.
        """
        arm = "shadow" if now.traffic.policy == "shadow" else "challenger"
        if now.traffic.share < 100:
            self.say(champion, 200, arm="champion", epoch=now.epoch)
        if failed:
            self.say(champion, failed, arm="champion", epoch=now.epoch, failed=failed, ms=900.0)
        self.say(challenger, 200 - failed, arm=arm, epoch=now.epoch, **changed)
        self.clock.jump(timedelta(minutes=6))

    def handed_over(self, model: Model) -> RetrainRequest:
        """A request whose model passed its gates, in the hands of a rollout."""
        asked = request(
            self.store.requests.ask(Ask(self.name, Source.DRIFT, "drift", "spend moved", "monitor"), NO_LIMITS)
        )
        claimed = request(self.store.requests.claim("worker", timedelta(minutes=1), self.name))
        note = {"run_id": model.version.run_id, "version": model.version.version}
        for before, after in (
            (State.CLAIMED, State.TRAINED),
            (State.TRAINED, State.GATED),
            (State.GATED, State.CANARY),
        ):
            self.store.requests.advance(claimed.lease, before, after, note)
        return self.store.requests.give_back(claimed.lease, f"handed over as canary of {asked.id}")
