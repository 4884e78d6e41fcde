"""Scoring everybody, against the same estimator's own ``predict`` on a pandas frame that is ready, in one process.

    python benchmarks/scoring.py [--entities 20000] [--candidate lightgbm]

What is compared is not the same work. The frame's ``predict_proba`` has its features before it starts and forgets its
answers; the job makes the features of all customers from their raw events, asks the model, and writes the answers into
a Delta table in one commit. So the parts are measured by themselves too, each from what the one before it left ready in
memory: features (from silver, to nowhere), scoring (features to answers, to nowhere), writing (answers to the table).

It starts an MLflow of its own in a temporary folder and makes, for so many customers and for ten times as many, ten
order lines each within a year, and a churn model of 200 trees (or another candidate). Each part is run twice, and the
quicker run counts. A ratio is a part's customers a second by the frame's, of the same run. What a further customer
costs follows from the two sizes, and is free of what a run costs however many there are. Processor seconds stand
beside, of all processes that took part: a busy machine changes the clock's figures, and hardly these.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import psutil
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.gold_table import replace
from batch_processing.scoring.answers import FIELDS_DDL, answering
from batch_processing.scoring.asked import Lake, tables_read
from batch_processing.scoring.model import StoredModel, stored_model
from batch_processing.scoring.score import answered, as_table, score
from batch_processing.scoring.scoring import SCORES, Scoring, sources_of
from batch_processing.scoring.window import MICROSECOND, Window
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from data_lake.tables import silver, table
from feature_store.offline.snapshot import snapshot
from ml_modeling.candidates.pipelines import build
from ml_modeling.registry.connection import connect
from ml_modeling.registry.served import METADATA_KEY, TRUSTED_TYPES, ServingSpec
from ml_modeling.use_case import UseCase, load_use_case
from tidemill.config import Settings, load_settings
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import mlflow as mlflow_service
from tidemill.stack.supervision.running import running

AT = datetime(2026, 3, 1, tzinfo=UTC)
LINES_EACH = 10
YEAR_US = 365 * 86_400_000_000
PARAMETERS: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 200, "num_leaves": 31, "learning_rate": 0.05},
    "logistic_regression": {"C": 0.1},
    "random_forest": {"n_estimators": 100, "max_depth": 10},
    "xgboost": {"n_estimators": 200, "max_depth": 6},
}
SPEC = {"threshold": 0.5, "decisions": ("stays", "churns"), "cold_start_score": 0.4}


@dataclass(frozen=True)
class Spent:
    """Seconds by the clock, and of processors, of all processes that took part."""

    clock_s: float
    processor_s: float

    def less(self, other: "Spent") -> "Spent":
        return Spent(self.clock_s - other.clock_s, self.processor_s - other.processor_s)

    def by(self, number: int) -> "Spent":
        return Spent(self.clock_s / number, self.processor_s / number)

    def ratio(self, other: "Spent") -> str:
        """How fast ``other`` is for this one, by the clock and by processors."""
        return f"{self.clock_s / other.clock_s:.3f} ({self.processor_s / other.processor_s:.3f})"


Parts = dict[str, Spent]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=20_000)
    parser.add_argument("--candidate", choices=sorted(PARAMETERS), default="lightgbm")
    arguments = parser.parse_args()
    sizes = (arguments.entities, 10 * arguments.entities)
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with running(mlflow_service.services(settings)[0], settings):
            register(settings, arguments.candidate)
            spark = session("benchmark", settings)
            small, large = (measure(spark, settings, size) for size in sizes)
            spark.stop()
    print("\n".join(shown(arguments.candidate, sizes, small, large)))


def settings_in(home: Path) -> Settings:
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    return load_settings({"TIDEMILL_HOME": str(home), "TIDEMILL_MLFLOW__TRACKING_URI": address})


def register(settings: Settings, candidate: str) -> None:
    """A champion of churn, fitted on made-up features."""
    use_case, random = load_use_case("churn"), np.random.default_rng(3)
    x = random.lognormal(2, 2, size=(20_000, len(use_case.features)))
    labels = (np.log1p(x).sum(axis=1) + random.normal(size=len(x)) > 27).astype(int)
    model = build(candidate, PARAMETERS[candidate], 1, use_case.recipe).fit(x, labels)
    spec = ServingSpec(
        use_case="churn",
        feature_service=use_case.service.name,
        feature_fingerprint=use_case.service.fingerprint,
        features=use_case.features,
        **SPEC,
    )
    client = connect(settings)
    mlflow.set_experiment("benchmark")
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            serialization_format="skops",
            skops_trusted_types=[*TRUSTED_TYPES],
            pip_requirements=["scikit-learn"],
            metadata={METADATA_KEY: spec.model_dump(mode="json")},
            registered_model_name="churn",
        )
    client.set_registered_model_alias("churn", "champion", str(logged.registered_model_version))


def measure(spark: SparkSession, settings: Settings, entities: int) -> Parts:
    """What each part costs for ``entities`` customers, in a lake of their own."""
    own = settings.model_copy(update={"home": settings.home / str(entities)})
    write_lines(spark, own, entities)
    use_case, window = load_use_case("churn"), Window.at(AT)
    scoring, stored = scoring_of(own, use_case, window)
    lake = Lake(spark, own, scoring.versions)

    features = snapshot(spark, own, use_case.service, AT, versions=lake.versions)
    made = features.persist()
    ready = pd.DataFrame(made.select(*use_case.features).toPandas(), dtype=np.float64)
    said = made.mapInArrow(answering(stored, ["customer_id"]), f"customer_id STRING, {FIELDS_DDL}")
    parts = {"predict": quickest(lambda _: predicted(stored, ready)), "scoring": quickest(lambda _: discard(said))}
    made.unpersist(blocking=True)
    parts["features"] = quickest(lambda _: discard(features))

    answers = as_table(answered(lake, use_case, window, stored), scoring, use_case).persist()
    check(answers.count(), entities)
    parts["writing"] = quickest(lambda run: written(spark, own, answers, scoring, run))
    answers.unpersist(blocking=True)

    def whole(run: int) -> None:
        """At a moment of its own, as the same one would be there already."""
        moment = Window.at(AT + run * MICROSECOND)
        check(score(own, use_case, moment, None, lambda: nullcontext(spark)).rows, entities)

    parts["whole"] = quickest(whole)
    return parts


def shown(candidate: str, sizes: tuple[int, int], small: Parts, large: Parts) -> Iterator[str]:
    """A table in Markdown; of each pair the second is by processors."""
    heads = [f"{size:,} customers | rate by predict" for size in sizes]
    yield f"| {candidate} | {' | '.join(heads)} | a further customer | rate by predict |"
    yield "|---" * 7 + "|"
    more = sizes[1] - sizes[0]
    further = {name: large[name].less(small[name]).by(more) for name in small}
    for name in ("predict", "features", "scoring", "writing", "whole"):
        cells = [f"{parts[name].clock_s:.2f} s ({parts[name].processor_s:.2f})" for parts in (small, large)]
        cells.append(f"{further[name].clock_s * 1e6:.1f} µs ({further[name].processor_s * 1e6:.1f})")
        ratios = [parts["predict"].ratio(parts[name]) for parts in (small, large, further)]
        yield f"| {name} | {' | '.join(f'{cell} | {ratio}' for cell, ratio in zip(cells, ratios, strict=True))} |"


def scoring_of(settings: Settings, use_case: UseCase, window: Window) -> tuple[Scoring, StoredModel]:
    stored = stored_model(settings, use_case.name, None)
    sources = sources_of(settings, tables_read(use_case))
    return Scoring(use_case.name, window, stored.model, use_case.service.fingerprint, sources), stored


def written(spark: SparkSession, settings: Settings, answers: DataFrame, scoring: Scoring, run: int) -> None:
    """Into a table of its own, so that a second run has nothing to replace."""
    own = settings.model_copy(update={"home": settings.home / f"written-{run}"})
    ensure_table(spark, table(SCORES), own)
    replace(own, table(SCORES), answers, scoring.where, scoring.id)


def write_lines(spark: SparkSession, settings: Settings, entities: int) -> None:
    """Order lines at random times of the year before, in silver's own columns."""
    target = silver("shop.transaction.v1")
    ensure_table(spark, target, settings)
    path = target.path(settings)
    before = F.timestamp_micros(F.lit(int(AT.timestamp()) * 1_000_000) - (F.rand(5) * YEAR_US).cast("bigint") - 1)
    columns = {
        "event_time": before,
        "event_id": F.col("id").cast("string"),
        "source": F.lit("benchmark"),
        "order_id": F.concat(F.lit("o"), F.col("id") % 4),
        "line": F.lit(1),
        "customer_id": F.concat(F.lit("c"), F.col("id") % entities),
        "product_id": F.concat(F.lit("p"), (F.rand(6) * 300).cast("int")),
        "quantity": (F.rand(7) * 9 + 1).cast("int"),
        "unit_price": (F.rand(8) * 90).cast("decimal(18,4)"),
        "currency": F.lit("GBP"),
        "country": F.lit("United Kingdom"),
        "kind": F.when(F.rand(9) < 0.1, "return").otherwise("purchase"),
        "_generation": F.lit(1),
        "_digest": F.lit(0),
        "_partition": F.lit(0),
        "_offset": F.col("id"),
    }
    rows = spark.range(entities * LINES_EACH).withColumns(columns)
    at = F.col("event_time")
    rows = rows.withColumns(
        {
            "event_date": F.to_date(at),
            "broker_time": at,
            "ingested_at": at,
            "event_month": F.date_format(at, "yyyy-MM"),
            "description": F.lit(None),
        }
    )
    schema = spark.read.format("delta").load(path).schema
    typed = [F.col(field.name).cast(field.dataType) for field in schema]
    rows.select(*typed).write.format("delta").mode("append").save(path)


def predicted(stored: StoredModel, ready: pd.DataFrame) -> None:
    """What the estimator itself says of a frame that is ready."""
    stored.load().pipeline.predict_proba(ready.to_numpy())


def discard(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def check(rows: int, expected: int) -> None:
    if rows != expected:
        raise SystemExit(f"{rows} rows were scored, of {expected}")


def quickest(work: Callable[[int], None]) -> Spent:
    """The quicker of two runs, so that neither pays for what happens once; ``work`` is told which it is."""
    return min((spent(work, run) for run in range(2)), key=lambda run: run.clock_s)


def spent(work: Callable[[int], None], run: int) -> Spent:
    before, began = processor_seconds(), time.perf_counter()
    work(run)
    return Spent(time.perf_counter() - began, processor_seconds() - before)


def processor_seconds() -> float:
    """Of this process and all that it started: the JVM, and Spark's Python workers, also those that have ended."""
    here = psutil.Process()
    total = 0.0
    for process in (here, *here.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


if __name__ == "__main__":
    main()
