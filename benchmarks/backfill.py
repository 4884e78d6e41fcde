"""The fraud training frame through Spark, against pandas, plain Spark SQL and Feast, in one run.

    python benchmarks/backfill.py --file path/to/fraud-transactions.parquet [--rows N]

Each payment asks, just before it, for count and mean amount of its customer's payments and for count and share of fraud
of its terminal's verdicts (7 days after a payment), over 1, 7 and 30 days: 12 features. All four read the same Parquet
or Delta files; Spark's session has started, and has done a first job. What is compared:

- ``tidemill``: ``training_frame`` into Spark's noop sink, with the most memory held by the JVM and by a worker so far;
- ``sql``: the same by ``RANGE BETWEEN`` windows of Spark SQL, which slide;
- ``pandas``: the same by ``groupby().rolling()``, which slides;
- ``feast``: ``get_historical_features`` of finished rows, on the first ``--feast-rows`` payments, and ours on the same.

Then ours against SQL as the work grows: with the number of rows (``--scale``, the file repeated with new cards), with
the windows, and with the events of an entity (2 customers and terminals that have very many payments each).
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from data_lake.tables import silver
from feature_store.definitions import FeatureService
from feature_store.offline.training import EVENT_TIMESTAMP, training_frame
from tidemill.config import Settings, load_settings
from use_cases.fraud.features import CUSTOMER_PAYMENTS, TERMINAL_VERDICTS

DELAY, DAYS = pd.Timedelta(days=7), (1, 7, 30)
NUMBERS = 12
WHALES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, required=True, help="the handbook's payments")
    parser.add_argument("--rows", type=int, default=None, help="only the first N payments")
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 3], help="repeat the file so many times")
    parser.add_argument("--whales", type=int, nargs="+", default=[25_000, 50_000, 100_000], help="payments of each")
    parser.add_argument("--feast-rows", type=int, default=200_000)
    arguments = parser.parse_args()
    payments = read(arguments.file, arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"TIDEMILL_HOME": folder, "TIDEMILL_SPARK__DRIVER_MEMORY_MB": "4096"})
        spark = session("backfill", settings)
        frames = [compare(spark, settings, repeated(payments, scale)) for scale in arguments.scale]
        say("pandas")
        frames[0]["pandas_s"] = round(timed(lambda: by_pandas(payments)), 1)
        first = payments.head(arguments.feast_rows)
        some = compare(spark, settings, first)
        say("feast")
        some["feast_s"] = round(by_feast(spark, settings, first), 1)
        some["feast_ratio"] = round(some["feast_s"] / some["tidemill_s"], 1)
        windows = [compare(spark, settings, payments, DAYS[:number]) for number in range(1, len(DAYS))]
        whales = [compare(spark, settings, whale_payments(each)) for each in arguments.whales]
        spark.stop()
    frames[0]["pandas_ratio"] = round(frames[0]["pandas_s"] / frames[0]["tidemill_s"], 1)
    print(json.dumps({"rows": frames, "feast": some, "fewer_windows": windows, "events_an_entity": whales}, indent=2))


def read(file: Path, rows: int | None) -> pd.DataFrame:
    names = {"TX_DATETIME": "time", "CUSTOMER_ID": "customer_id", "TERMINAL_ID": "terminal_id"}
    names |= {"TX_AMOUNT": "amount", "TX_FRAUD": "is_fraud"}
    frame: pd.DataFrame = pq.read_table(file, columns=list(names)).to_pandas().rename(columns=names)
    return frame.sort_values("time", ignore_index=True).head(rows or len(frame))


def repeated(payments: pd.DataFrame, scale: int) -> pd.DataFrame:
    keys = ["customer_id", "terminal_id"]
    shift = payments[keys].max() + 1
    copies = [payments.assign(**{key: payments[key] + copy * shift[key] for key in keys}) for copy in range(scale)]
    return pd.concat(copies, ignore_index=True)


def whale_payments(each: int) -> pd.DataFrame:
    """Half a year of few customers and terminals with very many payments."""
    rng, number = np.random.default_rng(3), WHALES * each
    seconds = np.sort(rng.integers(0, 183 * 86_400, number))
    return pd.DataFrame(
        {
            "time": pd.Timestamp("2018-04-01") + pd.to_timedelta(seconds, "s"),
            "customer_id": rng.integers(0, WHALES, number),
            "terminal_id": rng.integers(0, WHALES, number),
            "amount": rng.uniform(1, 200, number),
            "is_fraud": rng.integers(0, 100, number) == 0,
        }
    )


def compare(
    spark: SparkSession, settings: Settings, payments: pd.DataFrame, windows: Sequence[int] = DAYS
) -> dict[str, float]:
    """Ours against SQL, over the same tables."""
    both = (*CUSTOMER_PAYMENTS.features, *TERMINAL_VERDICTS.features)
    service = FeatureService("backfill", tuple(one for one in both if one.window.days in windows))
    spine = write(spark, settings, payments)
    save(training_frame(spine.limit(100), service, settings))
    say(f"{len(payments)} payments, {len(service.names)} features: tidemill")
    tidemill = timed(lambda: save(training_frame(spine, service, settings)))
    memory = peaks_mb()
    say(f"{len(payments)} payments, {len(service.names)} features: sql")
    sql = timed(lambda: save(by_sql(spark, settings, spine, windows)))
    spine.unpersist()
    return {
        "rows": len(payments),
        "features": len(service.names),
        "tidemill_s": round(tidemill, 1),
        "sql_s": round(sql, 1),
        "sql_ratio": round(sql / tidemill, 1),
        **memory,
    }


def write(spark: SparkSession, settings: Settings, payments: pd.DataFrame) -> DataFrame:
    """Silver of payments and of verdicts; returns the spine, a row a payment."""
    parquet = settings.home / "payments.parquet"
    settings.home.mkdir(parents=True, exist_ok=True)
    texts = {key: payments[key].astype(str) for key in ("customer_id", "terminal_id")}
    payments.assign(**texts, is_fraud=payments["is_fraud"].astype(bool)).to_parquet(
        parquet, index=False, coerce_timestamps="us"
    )
    rows = spark.read.parquet(str(parquet)).withColumn("time", F.col("time").cast("timestamp"))
    numbered = rows.withColumn("event_id", F.monotonically_increasing_id().cast("string"))
    append(spark, settings, "payment.card_transaction.v1", numbered, F.col("time"))
    append(spark, settings, "payment.card_verdict.v1", numbered, F.col("time") + F.expr("INTERVAL 7 DAYS"))
    return rows.select("customer_id", "terminal_id", F.col("time").alias(EVENT_TIMESTAMP)).persist()


def append(spark: SparkSession, settings: Settings, topic: str, rows: DataFrame, at: "F.Column") -> None:  # type: ignore[name-defined]
    target = silver(topic)
    ensure_table(spark, target, settings)
    schema = spark.read.format("delta").load(target.path(settings)).schema
    times = {"event_time": at, "broker_time": at, "ingested_at": at, "event_date": at.cast("date")}
    known = rows.withColumns(times | {"event_month": F.date_format(at, "yyyy-MM"), "transaction_id": F.col("event_id")})
    made = [
        F.col(field.name).cast(field.dataType)
        if field.name in known.columns
        else F.lit("0" if field.dataType.typeName() == "string" else 0).cast(field.dataType).alias(field.name)
        for field in schema
    ]
    known.select(*made).write.format("delta").mode("overwrite").save(target.path(settings))


def by_sql(spark: SparkSession, settings: Settings, spine: DataFrame, windows: Sequence[int]) -> DataFrame:
    """Windows in SQL: a question is a row without a value among the events, which the windows see."""
    frame = spine
    for key, topic, value in (
        ("customer_id", "payment.card_transaction.v1", "amount"),
        ("terminal_id", "payment.card_verdict.v1", "is_fraud"),
    ):
        events = spark.read.format("delta").load(silver(topic).path(settings))
        happened = events.select(
            key, F.unix_micros("event_time").alias("at"), F.col(value).cast("double").alias("value")
        )
        asked = frame.withColumns({"at": F.unix_micros(EVENT_TIMESTAMP), "is_asked": F.lit(True)})
        both = asked.unionByName(happened, allowMissingColumns=True)
        over = "OVER (PARTITION BY {} ORDER BY at RANGE BETWEEN {} PRECEDING AND 1 PRECEDING)"
        ranges = {days: over.format(key, days * 86_400_000_000) for days in windows}
        counts = [F.expr(f"count(value) {one}").alias(f"{key}_count_{days}") for days, one in ranges.items()]
        means = [F.expr(f"avg(value) {one}").alias(f"{key}_mean_{days}") for days, one in ranges.items()]
        frame = both.select("*", *counts, *means).where("is_asked").drop("value", "at", "is_asked")
    return frame


def by_pandas(payments: pd.DataFrame) -> None:
    """Count and mean of the 12 windows; verdicts are payments a week later."""
    for key, value, delay in (("customer_id", "amount", None), ("terminal_id", "is_fraud", DELAY)):
        frame = payments[[key, "time", value]].assign(value=payments[value].astype(float))
        if delay is not None:
            questions = frame.assign(value=np.nan)
            frame = pd.concat([frame.assign(time=frame["time"] + delay), questions])
        ordered = frame.sort_values([key, "time"]).set_index("time")
        groups = ordered.groupby(key)["value"]
        for days in DAYS:
            rolling = groups.rolling(f"{days}D", closed="left")
            rolling.count()
            rolling.mean()


def by_feast(spark: SparkSession, settings: Settings, payments: pd.DataFrame) -> float:
    """Seconds to join each payment to the finished row of as many numbers that was its customer's at the time."""
    import feast
    from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkSource
    from feast.types import Float64, String

    from feature_store.feast import repository

    path = str(settings.home / "finished.parquet")
    numbers = [f"number_{position}" for position in range(NUMBERS)]
    keys = payments["customer_id"].astype(str)
    payments.assign(customer_id=keys).to_parquet(settings.home / "asked.parquet", index=False, coerce_timestamps="us")
    finished = spark.read.parquet(str(settings.home / "asked.parquet"))
    constant = [F.rand(position).alias(name) for position, name in enumerate(numbers)]
    finished.select("customer_id", F.col("time").cast("timestamp").alias("time"), *constant).write.parquet(path)
    customer = feast.Entity(name="customer", join_keys=["customer_id"], value_type=feast.ValueType.STRING)
    source = SparkSource(name="finished", path=path, file_format="parquet", timestamp_field="time")
    schema = [feast.Field(name="customer_id", dtype=String), *(feast.Field(name=n, dtype=Float64) for n in numbers)]
    view = feast.FeatureView(name="finished", entities=[customer], schema=schema, source=source)
    # Feast's own offline store: that of the platform reads silver, and gives no finished numbers.
    config = feast.RepoConfig(
        project=repository.PROJECT,
        provider="local",
        registry=str(settings.home / "registry.db"),
        offline_store={"type": "spark"},
        online_store=None,
        entity_key_serialization_version=repository.KEY_VERSION,
    )
    store = feast.FeatureStore(config=config)
    store.apply([customer, view])
    asked = finished.select("customer_id", F.col("time").cast("timestamp_ntz").alias("event_timestamp"))
    job = store.get_historical_features(entity_df=asked, features=[f"finished:{name}" for name in numbers])
    return timed(lambda: save(job.to_spark_df()))


def peaks_mb() -> dict[str, int]:
    """The most memory that Spark's JVM and the largest Python worker have held so far."""
    peaks: dict[str, int] = {"jvm_mb": 0, "worker_mb": 0}
    for process in psutil.Process().children(recursive=True):
        name = "jvm_mb" if process.name() == "java" else "worker_mb"
        status = Path(f"/proc/{process.pid}/status").read_text()
        held = (int(one) // 1024 for one in re.findall(r"VmHWM:\s+(\d+) kB", status))  # none of one that has ended
        peaks[name] = max(peaks[name], next(held, 0))
    return peaks


def say(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


def save(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
