"""The contract's check of a message, run over Arrow batches."""

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf

from contracts.checker import checker

REJECTION = "reason STRING, detail STRING"


def rejection(topic: str, value: Column) -> Column:
    """``struct(reason, detail)`` of a message value; both null when it is a valid event of ``topic``."""

    def check(values: pa.Array) -> pa.Array:
        return rejections(topic, values)

    return arrow_udf(check, REJECTION)(value)  # type: ignore[call-overload, no-any-return]  # the hints of check say its kind


def rejections(topic: str, values: pa.Array) -> pa.StructArray:
    """The reason and detail of each of ``values`` (binary, n); null where it is a valid event."""
    check = checker(topic).check_bytes
    found = [check(value) for value in values.to_pylist()]
    reasons = pa.array([one and str(one.reason) for one in found], pa.string())
    details = pa.array([one and one.detail for one in found], pa.string())
    return pa.StructArray.from_arrays([reasons, details], names=["reason", "detail"])
