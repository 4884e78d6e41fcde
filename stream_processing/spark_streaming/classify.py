"""The contract's check of a message, run over Arrow batches."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf

from contracts.checker import Checker
from contracts.registry import Contract

REJECTION = "reason STRING, detail STRING"


def rejection(source: Contract, value: Column) -> Column:
    """``struct(reason, detail)`` of a message value; both null when it is a valid event of ``source``.

    The contract travels with the function, so that an executor checks by the driver's contract.
    """

    def check(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        checker = Checker(source)
        for values in batches:
            yield rejections(checker, values)

    # The hints of check tell PySpark which kind of function it is; its stubs ask for the kind as an argument too.
    return arrow_udf(check, REJECTION)(value)  # type: ignore[call-overload, no-any-return]


def rejections(checker: Checker, values: pa.Array) -> pa.StructArray:
    """The reason and detail of each of ``values`` (binary, n); null where it is a valid event."""
    found = [checker.check_bytes(value) for value in values.to_pylist()]
    reasons = pa.array([one and str(one.reason) for one in found], pa.string())
    details = pa.array([one and one.detail for one in found], pa.string())
    return pa.StructArray.from_arrays([reasons, details], names=["reason", "detail"])
