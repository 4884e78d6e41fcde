"""Quarantine: what lies in it, and how a message comes out of it again: through its topic, once, and on record."""

from data_lake.quarantine.counts import counts_by_reason
from data_lake.quarantine.selection import Selection

__all__ = ["Selection", "counts_by_reason"]
