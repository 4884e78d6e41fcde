"""A lake with silver and a Redis, where events arrive commit by commit and features are read at any moment."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from data_lake.tables import silver
from feature_store.definitions import FeatureGroup
from feature_store.online.connection import connect, connection_string
from feature_store.online.reader import FeatureRow, OnlineReader
from feature_store.stream.bootstrap import state_keeper
from stream_processing.spark_streaming.features import batch_applier, start_features
from tests.cases.lake import append_rows
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.transactions import Line, random_lines, silver_row
from tidemill.config import Settings
from use_cases.churn.features import SERVICE

TOPIC = "shop.transaction.v1"


def recent_lines(seed: int, number: int) -> list[Line]:
    """Lines of the last hundred days, in no order of time: late ones come by themselves."""
    return random_lines(Random(seed), number, (datetime.now(UTC) - timedelta(days=100)).date(), 100)


@dataclass
class Shop:
    spark: SparkSession
    settings: Settings
    arrived: list[Line] = field(default_factory=list)
    queries: list[StreamingQuery] = field(default_factory=list)

    def arrive(self, lines: Iterable[Line]) -> None:
        """Append ``lines`` to silver in one commit."""
        new = list(lines)
        now = datetime.now(UTC)
        append_rows(self.settings, silver(TOPIC), (silver_row(line) | {"ingested_at": now} for line in new))
        self.arrived += new

    def stream(self) -> list[StreamingQuery]:
        """Bring the states up to date and leave the queries running."""
        queries = [self.start(group) for group in SERVICE.groups]
        for query in queries:
            query.processAllAvailable()
        return queries

    def start(self, group: FeatureGroup) -> StreamingQuery:
        """The running query of ``group``, which knows nothing of what ran before."""
        return start_features(self.spark, self.settings, state_keeper(self.spark, self.settings, group))

    def applier(self, group: FeatureGroup) -> Callable[[DataFrame, int], None]:
        """What the query of ``group`` does with a batch."""
        keeper = state_keeper(self.spark, self.settings, group)
        keeper.start()
        return batch_applier(self.settings, keeper)

    def run_stream(self) -> None:
        """Bring the states up to date and stop."""
        for query in self.stream():
            query.stop()

    def read(self, customers: Sequence[str]) -> list[FeatureRow]:
        reader = OnlineReader(self.settings, SERVICE.name)
        return reader.read([{"customer_id": one} for one in customers])

    @property
    def customers(self) -> list[str]:
        return sorted({line.customer_id for line in self.arrived if line.customer_id})

    def judged(self, group: FeatureGroup, customer: str, at: int) -> list[float | None]:
        """The features of ``group`` by a loop over what has arrived."""
        history = [
            Happened(0, micros(line.at), number, _columns(line), 0)
            for number, line in enumerate(self.arrived)
            if line.customer_id == customer
        ]
        return [naive_value(feature, history, 0, at) for feature in group.features]


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _columns(line: Line) -> dict[str, object]:
    return {
        "kind": line.kind,
        "amount": float(line.quantity * line.unit_price),
        "order_id": line.order_id,
        "product_id": line.product_id,
    }


def forget_all(settings: Settings) -> None:
    """What a Redis without its data has: nothing."""
    connect(connection_string(settings, 10.0), tries=1)[1].flushall()
