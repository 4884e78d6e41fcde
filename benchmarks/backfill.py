"""The fraud training frame through Spark, against pandas, plain Spark SQL and Feast, in one run.

    python benchmarks/backfill.py [--file ../shared/data/fraud-transactions.parquet] [--rows N]

Each payment asks, just before it, for count and mean amount of its customer's payments and for count and share of fraud
of its terminal's verdicts (7 days after a payment), over 1, 7 and 30 days: 12 features. All four read the same Parquet
or Delta files; Spark's session has started, and has done a first job. What is compared:

- ``tidemill``: ``training_frame`` into Spark's noop sink, with the driver's and the workers' peak memory;
- ``sql``: the same by ``RANGE BETWEEN`` windows of Spark SQL, which slide;
- ``pandas``: the same by ``groupby().rolling()``, which slides;
- ``feast``: ``get_historical_features`` of finished rows, on a share of the questions (``--feast-rows``), so its
  time is scaled up by the rows: that favours it, since its join grows faster than its rows;
- ``whales``: 2 customers, and terminals, of 100,000 payments each, ours against SQL.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config import Settings, load_settings
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from data_lake.tables import silver
from feature_store.definitions import FeatureService
from feature_store.training import EVENT_TIMESTAMP, training_frame
from use_cases.fraud.features import CUSTOMER_PAYMENTS, TERMINAL_VERDICTS

FILE = Path(__file__).resolve().parents[2] / "shared" / "data" / "fraud-transactions.parquet"
SERVICE = FeatureService("backfill", (*CUSTOMER_PAYMENTS.features, *TERMINAL_VERDICTS.features))
DELAY, DAYS = pd.Timedelta(days=7), (1, 7, 30)
WHALES, WHALE_PAYMENTS = 2, 100_000
SPINE = ["customer_id", "terminal_id", EVENT_TIMESTAMP]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--rows", type=int, default=None, help="only the first N payments")
    parser.add_argument("--scale", type=int, nargs="+", default=[1], help="repeat the file with new cards")
    parser.add_argument("--feast-rows", type=int, default=20_000)
    arguments = parser.parse_args()
    payments = read(arguments.file, arguments.rows)
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"TIDEMILL_HOME": folder, "TIDEMILL_SPARK__DRIVER_MEMORY_MB": "4096"})
        spark = session("backfill", settings)
        results = [compare(spark, settings, repeated(payments, scale)) for scale in arguments.scale]
        say("pandas")
        results[0]["pandas_s"] = round(timed(lambda: by_pandas(payments)), 1)
        say("feast")
        results[0]["feast_s"] = by_feast(spark, settings, payments, arguments.feast_rows)
        whales = compare(spark, settings, whale_payments())
        spark.stop()
    for name in ("pandas", "feast"):
        results[0][f"{name}_ratio"] = round(results[0][f"{name}_s"] / results[0]["tidemill_s"], 1)
    print(json.dumps({"features": len(SERVICE.names), "frames": results, "whales": whales}, indent=2))


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


def whale_payments() -> pd.DataFrame:
    """Half a year of few customers and terminals with very many payments."""
    rng, number = np.random.default_rng(3), WHALES * WHALE_PAYMENTS
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


def compare(spark: SparkSession, settings: Settings, payments: pd.DataFrame) -> dict[str, float]:
    """Ours against SQL, over the same tables."""
    spine = write(spark, settings, payments)
    ours = training_frame(spine.limit(100), SERVICE, settings)
    ours.write.format("noop").mode("overwrite").save()
    say(f"{len(payments)} payments: tidemill")
    tidemill = timed(lambda: save(training_frame(spine, SERVICE, settings)))
    say(f"{len(payments)} payments: sql")
    sql = timed(lambda: save(by_sql(spark, settings, spine)))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {
        "rows": len(payments),
        "tidemill_s": round(tidemill, 1),
        "sql_s": round(sql, 1),
        "sql_ratio": round(sql / tidemill, 1),
        "largest_process_mb": memory,
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


def by_sql(spark: SparkSession, settings: Settings, spine: DataFrame) -> DataFrame:
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
        windows = {days: over.format(key, days * 86_400_000_000) for days in DAYS}
        counts = [F.expr(f"count(value) {window}").alias(f"{key}_count_{days}") for days, window in windows.items()]
        means = [F.expr(f"avg(value) {window}").alias(f"{key}_mean_{days}") for days, window in windows.items()]
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


def by_feast(spark: SparkSession, settings: Settings, payments: pd.DataFrame, rows: int) -> float:
    """Seconds for all payments, from those for ``rows`` of them joined to finished rows of as many numbers."""
    import feast
    from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkSource
    from feast.types import Float64, String

    from feature_store import repository

    path = str(settings.home / "finished.parquet")
    numbers = [f"number_{position}" for position in range(len(SERVICE.names))]
    finished = spark.createDataFrame(
        payments.head(rows).assign(customer_id=lambda frame: frame["customer_id"].astype(str))
    )
    constant = [F.rand(position).alias(name) for position, name in enumerate(numbers)]
    finished.select("customer_id", F.col("time").cast("timestamp").alias("time"), *constant).write.parquet(path)
    customer = feast.Entity(name="customer", join_keys=["customer_id"], value_type=feast.ValueType.STRING)
    source = SparkSource(name="finished", path=path, file_format="parquet", timestamp_field="time")
    schema = [feast.Field(name="customer_id", dtype=String), *(feast.Field(name=n, dtype=Float64) for n in numbers)]
    view = feast.FeatureView(name="finished", entities=[customer], schema=schema, source=source)
    store = repository.store(settings)
    store.apply([customer, view])
    asked = finished.select("customer_id", F.col("time").cast("timestamp_ntz").alias("event_timestamp"))
    job = store.get_historical_features(entity_df=asked, features=[f"finished:{name}" for name in numbers])
    seconds = timed(lambda: save(job.to_spark_df()))
    return round(seconds * len(payments) / rows, 1)


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
