"""The rows that features are asked for: checked before anything runs, so that what is wrong is said in one sentence.

To Spark a name in upper and in lower case is one, and a dot means something; to Arrow, which the kernel reads, neither
is so. Columns that are read get the names of the definition, others a number, and all their own back at the end.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DecimalType,
    IntegralType,
    NullType,
    NumericType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from feature_store.definitions import FeatureService
from feature_store.lake.spans import TIME
from tidemill.config.errors import TerminalError

EVENT_TIMESTAMP = "event_timestamp"
RESERVED = "__tidemill_"
INPUT, OWN = f"{RESERVED}input_", f"{RESERVED}own_"


class SpineError(TerminalError):
    """A spine that cannot be joined; the message names the column."""


@dataclass(frozen=True)
class Spine:
    """``rows`` with the time in microseconds and the inputs as float64; ``own`` are the columns that were given."""

    rows: DataFrame
    own: Sequence[str]

    @classmethod
    def of(cls, given: DataFrame, service: FeatureService) -> "Spine":
        """Check ``given`` for ``service``.

        Raises:
            SpineError: a column is missing, of a type that cannot be read so, or would be written over.
        """
        read = _columns_read(service)
        _check_names(given.columns, read, service)
        canonical = {name.lower(): name for name in read}
        names = [canonical.get(name.lower(), f"{OWN}{number}") for number, name in enumerate(given.columns)]
        rows = given.toDF(*names)
        _check_types(rows, service)
        timeless = F.raise_error(F.lit(f"the spine has a row without {EVENT_TIMESTAMP}"))
        at = F.unix_micros(F.col(EVENT_TIMESTAMP).cast("timestamp"))
        inputs = {f"{INPUT}{one.name}": F.col(one.name).cast("double") for one in service.inputs}
        return cls(rows.withColumns({TIME: F.coalesce(at, timeless), **inputs}), given.columns)

    @property
    def kept(self) -> list[str]:
        """The names of the given columns in ``rows``."""
        return self.rows.columns[: len(self.own)]


def quoted(name: str) -> Column:
    """The column called exactly so, whatever characters its name has."""
    return F.col("`" + name.replace("`", "``") + "`")


def _columns_read(service: FeatureService) -> list[str]:
    return list(dict.fromkeys([*service.keys, EVENT_TIMESTAMP, *(one.name for one in service.inputs)]))


def _check_names(given: Sequence[str], read: Sequence[str], service: FeatureService) -> None:
    spelled = Counter(name.lower() for name in given)
    if missing := [name for name in read if name.lower() not in spelled]:
        raise SpineError(f"the spine has no column {', '.join(missing)}; it has {', '.join(given)}")
    if taken := [name for name in service.names if name.lower() in spelled]:
        raise SpineError(f"the spine has a column {', '.join(taken)} already, which is a feature of {service.name}")
    if twice := [name for name in given if spelled[name.lower()] > 1]:
        raise SpineError(f"the spine's columns {', '.join(twice)} have one name to Spark: rename or drop one")
    if reserved := [name for name in given if name.lower().startswith(RESERVED)]:
        raise SpineError(f"the spine's column {', '.join(reserved)} begins with {RESERVED}, as ours do: rename it")


def _check_types(rows: DataFrame, service: FeatureService) -> None:
    wanted = {group.entity.key: ("a text or a whole number", _is_key) for group in service.groups}
    wanted |= {one.name: ("a number", _is_number) for one in service.inputs}
    wanted[EVENT_TIMESTAMP] = ("a timestamp", _is_timestamp)
    for name, (kind, fits) in wanted.items():
        actual = rows.schema[name].dataType
        if not fits(actual):
            raise SpineError(
                f"the spine's column {name} is {actual.simpleString()}, and should be {kind}: cast it, as in "
                f'spine.withColumn("{name}", spine["{name}"].cast(...))'
            )


def _is_key(kind: DataType) -> bool:
    """What has one text that means it: 17850 is "17850", but 17850.0 may be anything."""
    return isinstance(kind, StringType | IntegralType | NullType) or (isinstance(kind, DecimalType) and kind.scale == 0)


def _is_number(kind: DataType) -> bool:
    return isinstance(kind, NumericType | BooleanType | NullType)


def _is_timestamp(kind: DataType) -> bool:
    return isinstance(kind, TimestampType | TimestampNTZType)
