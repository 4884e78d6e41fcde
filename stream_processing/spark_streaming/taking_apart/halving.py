"""A batch that killed or hung the application is taken apart by halves until the message is found.

Each part is tried in a process of its own, so that the application and the other topics go on meanwhile. What is left
to be tried is noted beside the checkpoint before every step: a process that ends goes on there.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from pyspark.sql import SparkSession

from data_lake.hadoop_files import read_text, remove, write_text
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.taking_apart.attempts import has_killed
from stream_processing.spark_streaming.taking_apart.offset_ranges import OffsetRange, Part, halves, size
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

TRIES = 3
logger = logging.getLogger("tidemill.stream")


class TrialImpossibleError(TransientError):
    """A trial of a good message does not pass either, so that no message can be blamed."""


@dataclass(frozen=True)
class Pending:
    """A part to be tried.

    ``is_bad``: it is known to hold a bad message. ``has_twin``: the part that is tried after it is the other half of a
    bad one. ``writes``: how often its write began in the application.
    """

    part: Part
    is_bad: bool = False
    has_twin: bool = False
    writes: int = 0


@dataclass(frozen=True)
class TakingApart:
    """Settles every message of a batch, part by part.

    ``passes`` tries a part in another process, whose bound is a share of a whole batch's, and without a part a message
    that is known to be good; ``write`` writes a part that passed; ``condemn`` puts a message, a part of one offset,
    into quarantine; ``report`` is told how far it is.
    """

    passes: Callable[[Part, float], bool]
    write: Callable[[Part], None]
    condemn: Callable[[Part], None]
    position: "Position"
    report: Callable[[str], None]

    def settle(self, batch_id: int, whole: Part) -> None:
        """Write or condemn all of ``whole``, or what an earlier process left of it.

        Raises:
            TrialImpossibleError: not even a trial of a good message passes.
        """
        left = self.position.load(batch_id) or [Pending(whole)]
        while left:
            offsets = sum(size(pending.part) for pending in left)
            self.report(f"{offsets:,} offsets of batch {batch_id} are left to be tried, in {len(left)} parts")
            *rest, pending = left
            left = self._settled(batch_id, pending, rest, size(whole))
            self.position.save(batch_id, left)
        self.position.clear()

    def _settled(self, batch_id: int, pending: Pending, rest: list[Pending], whole: int) -> list[Pending]:
        """What is left after a step on ``pending``."""
        part = pending.part
        if self._is_good(pending, size(part) / whole):
            self.position.save(batch_id, [*rest, replace(pending, writes=pending.writes + 1)])
            try:
                self.write(part)
            except Exception as error:
                if not has_killed(error):  # silver is away, the disk is full: no message is to blame
                    self.position.save(batch_id, [*rest, pending])
                raise
            return [*rest[:-1], replace(rest[-1], is_bad=True)] if pending.has_twin else rest
        if size(part) == 1:
            logger.error("the message at %s killed or hung what processed it: it goes to quarantine", part[0])
            self.condemn(part)
            return rest
        first, second = halves(part)
        return [*rest, Pending(second), Pending(first, has_twin=True)]

    def _is_good(self, pending: Pending, share: float) -> bool:
        has_failed = pending.writes >= TRIES
        if size(pending.part) > 1:
            return not has_failed and not pending.is_bad and self.passes(pending.part, share)
        if not has_failed and any(self.passes(pending.part, share) for _ in range(TRIES)):
            return True
        if not self.passes((), share):
            raise TrialImpossibleError(
                "a batch that killed or hung the application cannot be taken apart: a trial of a message that is known"
                " to be good does not pass either, for lack of memory or time; `tidemill logs stream` has what it said"
            )
        return False


@dataclass(frozen=True)
class Position:
    """The parts of a batch that are left, in a file beside the checkpoint of query ``name``."""

    spark: SparkSession
    settings: Settings
    name: str

    @property
    def _file(self) -> str:
        return f"{checkpoint(self.settings, self.name)}/apart"

    def load(self, batch_id: int) -> list[Pending]:
        """What is left of the batch; empty when it was not begun."""
        try:
            content = json.loads(read_text(self.spark, self._file) or "{}")
        except json.JSONDecodeError:  # killed while it was written: begun again
            return []
        return [_pending(entry) for entry in content["left"]] if content.get("batch") == batch_id else []

    def save(self, batch_id: int, left: list[Pending]) -> None:
        content = {"batch": batch_id, "left": [asdict(pending) for pending in left]}
        write_text(self.spark, self._file, json.dumps(content))

    def clear(self) -> None:
        remove(self.spark, self._file)


def _pending(entry: dict[str, object]) -> Pending:
    ranges = entry.pop("part")
    return Pending(tuple(OffsetRange(**offsets) for offsets in ranges), **entry)  # type: ignore[attr-defined, arg-type]
