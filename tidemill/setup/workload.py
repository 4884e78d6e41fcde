"""One of each thing jobs do: a Delta table written, merged, streamed, read, joined and aggregated."""

import tempfile
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812


def run(spark: SparkSession, folder: Path) -> None:
    table, copy = str(folder / "table"), str(folder / "copy")
    rows = spark.range(1000).select("id", (F.col("id") % 10).alias("key"), F.current_date().alias("day"))
    rows.write.format("delta").partitionBy("day").save(table)
    merge = DeltaTable.forPath(spark, table).alias("t").merge(rows.alias("s"), "t.id = s.id AND t.day = s.day")
    merge.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()

    def parse_and_append(batch: DataFrame, _: int) -> None:
        parsed = batch.withColumn("json", F.to_json(F.struct("id", "key")))
        parsed.withColumn("parsed", F.from_json("json", "id long")).write.format("delta").mode("append").save(copy)

    stream = spark.readStream.format("delta").load(table).writeStream.foreachBatch(parse_and_append)
    stream.option("checkpointLocation", str(folder / "checkpoint")).trigger(
        availableNow=True
    ).start().awaitTermination()
    joined = (
        spark.read.format("delta").load(table).join(spark.read.format("delta").load(copy).select("id", "json"), "id")
    )
    joined.groupBy("key").agg(F.sum("id"), F.countDistinct("json")).orderBy("key").collect()


with tempfile.TemporaryDirectory() as folder:
    run(SparkSession.builder.getOrCreate(), Path(folder))
