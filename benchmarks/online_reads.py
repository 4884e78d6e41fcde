"""Reading features online: the project's reader against Feast's SDK, from the same Redis, in turns.

    python benchmarks/online_reads.py [--repeats 300]

It starts a Redis of its own in a temporary folder, writes made-up rows of 1,000 customers through Feast's online
store, checks that both readers give the same values, and times them. The ratio is the SDK's median over the reader's.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import feast
import pyarrow as pa

from config import Settings, load_settings
from feature_store import repository
from feature_store.online import OnlineReader
from feature_store.online_store import connect, connection_string
from feature_store.online_writer import entity_rows, write_rows
from feature_store.views import CUSTOMER_SNAPSHOT
from tidemill.stack.ports import free_ports
from tidemill.stack.running import running
from tidemill.stack.services import redis as redis_service

CUSTOMERS = [f"customer-{number}" for number in range(1_000)]
SIZES = (1, 10, 100, 1_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, help="reads of one customer; fewer of many")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with running(redis_service.services(settings)[0], settings):
            write_made_up_rows(settings)
            print(json.dumps([measure(settings, size, repeats) for size in SIZES], indent=2))


def settings_in(home: Path) -> Settings:
    (port,) = free_ports(1)
    settings = load_settings({"TIDEMILL_HOME": str(home), "TIDEMILL_REDIS__PORT": str(port)})
    patient = settings.serving.model_copy(update={"feature_timeout_s": 10.0})
    return settings.model_copy(update={"serving": patient})


def write_made_up_rows(settings: Settings) -> None:
    rng = random.Random(1)  # noqa: S311
    view = CUSTOMER_SNAPSHOT
    columns = {name: pa.array([rng.uniform(0, 1e4) for _ in CUSTOMERS]) for name in view.features}
    moment = pa.array([datetime(2011, 12, 9, tzinfo=UTC)] * len(CUSTOMERS), pa.timestamp("us", "UTC"))
    rows = pa.table({view.join_key: CUSTOMERS, view.timestamp: moment, **columns})
    store, _ = connect(connection_string(settings, 10.0), tries=1)
    write_rows(store, settings, view, list(entity_rows(rows, view)))
    repository.apply(settings)


def measure(settings: Settings, size: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of both, measured in turns over the same customers."""
    reader, store = OnlineReader(settings, "churn"), repository.store(settings)
    features = [f"{CUSTOMER_SNAPSHOT.name}:{name}" for name in reader.names]
    rng = random.Random(size)  # noqa: S311
    times: dict[str, list[float]] = {"reader": [], "sdk": []}
    for _ in range(max(10, repeats // size)):
        ids = rng.sample(CUSTOMERS, size)
        ours, by_reader = timed(lambda ids=ids: [row and row.values for row in reader.read(ids)])
        theirs, by_sdk = timed(lambda ids=ids: read_by_sdk(store, features, reader.names, ids))
        if by_reader != by_sdk:
            raise SystemExit(f"the two readers differ for {ids}")
        times["reader"].append(ours)
        times["sdk"].append(theirs)
    medians = {f"{name}_ms": round(1e3 * statistics.median(found), 3) for name, found in times.items()}
    return {"customers": size, **medians, "ratio": round(medians["sdk_ms"] / medians["reader_ms"], 2)}


def read_by_sdk(
    store: feast.FeatureStore, features: list[str], names: Sequence[str], ids: Sequence[str]
) -> list[tuple[float | None, ...]]:
    rows = [{CUSTOMER_SNAPSHOT.join_key: customer} for customer in ids]
    columns = store.get_online_features(features=features, entity_rows=rows).to_dict()
    return list(zip(*(columns[name] for name in names), strict=True))


def timed(read: Callable[[], list[tuple[float | None, ...]]]) -> tuple[float, list[tuple[float | None, ...]]]:
    started = time.perf_counter()
    result = read()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
