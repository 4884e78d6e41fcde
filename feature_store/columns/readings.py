"""What a feature reads of an event: shared by the engines, so that they see the same values."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from feature_store.columns.events import Column, Events
from feature_store.columns.hashing import stable_hash
from feature_store.definitions import Feature, Function


class Kind(StrEnum):
    PRESENCE = "presence"
    NUMBER = "number"
    HASH = "hash"
    CATEGORY = "category"


KINDS = {
    Function.COUNT: Kind.PRESENCE,
    Function.TIME_SINCE_LAST: Kind.PRESENCE,
    Function.COUNT_DISTINCT: Kind.HASH,
    Function.COUNT_CATEGORY: Kind.CATEGORY,
}


@dataclass(frozen=True, order=True)
class Reading:
    """One column as numbers or as hashes, one category of it, or whether it is there (no column: the event)."""

    column: str
    kind: Kind
    category: str = ""

    @classmethod
    def of(cls, feature: Feature) -> "Reading":
        kind = KINDS.get(feature.function, Kind.NUMBER)
        return cls(feature.column or "", kind, str(feature.argument) if kind is Kind.CATEGORY else "")

    def read(self, events: Events) -> Column:
        """Its value in each event.

        Raises:
            EventColumnsError: the column is missing, or of a type that cannot be read so.
        """
        if not self.column:
            return Column(np.zeros(len(events), dtype=np.int8), np.ones(len(events), dtype=np.bool_))
        column = events.column(self.column)
        match self.kind:
            case Kind.NUMBER:
                return column.numbers()
            case Kind.HASH:
                return Column(stable_hash(column), column.valid)
            case Kind.CATEGORY:
                same = np.asarray(column.values == self.category, dtype=np.bool_)
                return Column(column.values, column.valid & same)
        return column
