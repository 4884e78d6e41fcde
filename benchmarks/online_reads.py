"""Features for a request: states read and merged, against Feast's SDK reading as many precomputed numbers.

    python benchmarks/online_reads.py [--repeats 300]

It starts a Redis of its own in a temporary folder and writes, for 1,000 customers with 200 purchases each, the
states of the churn service, and beside them a plain Feast view with the features' values at one moment. Both are read
in turns, from the same Redis; "sdk_of_states" is Feast's SDK with the on-demand view, which must answer what the reader
answers. A ratio above 1 says that merging windows is quicker than the SDK's read of finished numbers.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feast
import numpy as np
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64, String

from feature_store.catalog import REQUEST_TIME
from feature_store.columns.events import Column, Events
from feature_store.definitions import FeatureGroup
from feature_store.definitions.windows import micros
from feature_store.feast import repository
from feature_store.online.connection import connect, connection_string
from feature_store.online.reader import OnlineReader
from feature_store.states import Applied, Change, Known, StateStore
from feature_store.tiles import Layout, apply
from tidemill.config import Settings, load_settings
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import redis as redis_service
from tidemill.stack.supervision.running import running
from use_cases.churn.features import SERVICE

CUSTOMERS = [f"customer-{number}" for number in range(1_000)]
EVENTS_EACH = 200
SIZES = (1, 10, 100)
EPOCH = 1
PLAIN = "finished_numbers"
Values = list[tuple[float | None, ...]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300, help="reads of one customer; fewer of many")
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        with running(redis_service.services(settings)[0], settings):
            state_bytes = write_states(settings)
            plain = write_finished_numbers(settings)
            measured = [measure(settings, plain, size, repeats) for size in SIZES]
    result = {"features": len(SERVICE.names), "state_bytes": state_bytes, "reads": measured}
    print(json.dumps(result, indent=2))


def settings_in(home: Path) -> Settings:
    (port,) = free_ports(1)
    settings = load_settings({"TIDEMILL_HOME": str(home), "TIDEMILL_REDIS__PORT": str(port)})
    patient = settings.serving.model_copy(update={"feature_timeout_s": 10.0})
    return settings.model_copy(update={"serving": patient})


def write_states(settings: Settings) -> dict[str, int]:
    """Made-up purchases and returns of a year; the median bytes of a state by group."""
    repository.apply(settings)
    now, sizes = time.time_ns() // 1000, {}
    for group in SERVICE.groups:
        layout = Layout.of(group)
        number = len(CUSTOMERS) * EVENTS_EACH
        states = apply(layout, [None] * len(CUSTOMERS), events(group, now), np.ones(number, dtype=np.int64), now, EPOCH)
        store, known = StateStore(settings, group), Known(EPOCH, version=1)
        begun = Applied("none", EPOCH, version=1, known_until=now, at=now)
        fence = store.begin(begun, store.token(), store.run_id())
        found = store.find(CUSTOMERS)
        store.write(fence.token, [Change(one, state, known) for one, state in zip(found, states, strict=True)], now)
        sizes[group.name] = int(statistics.median(len(state) for state in states))
    return sizes


def events(group: FeatureGroup, now: int) -> Events:
    rng = np.random.default_rng(1)
    number = len(CUSTOMERS) * EVENTS_EACH
    values = {
        "amount": Column(rng.uniform(1, 500, number), np.ones(number, dtype=np.bool_)),
        "kind": _texts(rng.choice(["purchase", "return"], number, p=[0.9, 0.1])),
        "order_id": _texts(rng.integers(0, 40, number).astype(str)),
        "product_id": _texts(rng.integers(0, 300, number).astype(str)),
    }
    return Events(
        entity=np.repeat(np.arange(len(CUSTOMERS)), EVENTS_EACH),
        time=now - rng.integers(0, micros(timedelta(days=365)), number),
        tie=np.arange(number, dtype=np.uint64),
        columns={name: values[name] for name in group.columns},
    )


def _texts(values: np.ndarray) -> Column:  # type: ignore[type-arg]
    return Column(values.astype(object), np.ones(len(values), dtype=np.bool_))


def write_finished_numbers(settings: Settings) -> feast.FeatureView:
    """A plain Feast view with each customer's features as of now."""
    numbers = [f"{PLAIN}_{name}" for name in SERVICE.names]
    states = repository.state_view(SERVICE.groups[0], settings)
    fields = [feast.Field(name="customer_id", dtype=String), *(feast.Field(name=one, dtype=Float64) for one in numbers)]
    customer = repository.entity(SERVICE.groups[0].entity)
    view = feast.FeatureView(name=PLAIN, entities=[customer], schema=fields, source=states.batch_source)
    repository.store(settings).apply([customer, view])
    rows = OnlineReader(settings, SERVICE.name).read([{"customer_id": one} for one in CUSTOMERS])
    now = datetime.now(UTC)
    written = [
        (
            EntityKey(join_keys=["customer_id"], entity_values=[Value(string_val=one)]),
            {name: Value(double_val=value or 0.0) for name, value in zip(numbers, row.values, strict=True)},
            now,
            None,
        )
        for one, row in zip(CUSTOMERS, rows, strict=True)
    ]
    store, _ = connect(connection_string(settings, 10.0), tries=1)
    store.online_write_batch(repository.repo_config(settings, skip_dedup=True), view, written, None)
    return view


def measure(settings: Settings, plain: feast.FeatureView, size: int, repeats: int) -> dict[str, float]:
    """Median milliseconds of each, measured in turns over the same customers."""
    reader, store = OnlineReader(settings, SERVICE.name), repository.store(settings)
    service = store.get_feature_service(SERVICE.name)
    finished = [f"{PLAIN}:{field.name}" for field in plain.features]
    rng = random.Random(size)  # noqa: S311
    times: dict[str, list[float]] = {"reader": [], "sdk": [], "sdk_of_states": []}
    for _ in range(max(30, repeats // size)):
        ids, now = rng.sample(CUSTOMERS, size), time.time_ns() // 1000
        keys = [{"customer_id": one} for one in ids]
        timed_keys = [key | {REQUEST_TIME: now} for key in keys]
        ours, by_reader = timed(lambda keys=keys, now=now: [row.values for row in reader.read(keys, now)])
        theirs, _ = timed(lambda keys=keys: sdk_values(store, finished, keys, [ref.split(":")[1] for ref in finished]))
        merged, by_sdk = timed(lambda keys=timed_keys: sdk_values(store, service, keys, list(SERVICE.names)))
        if by_reader != by_sdk:
            raise SystemExit(f"the reader and Feast's SDK differ for {ids}")
        for name, seconds in (("reader", ours), ("sdk", theirs), ("sdk_of_states", merged)):
            times[name].append(seconds)
    medians = {f"{name}_ms": round(1e3 * statistics.median(found), 3) for name, found in times.items()}
    return {"customers": size, **medians, "ratio": round(medians["sdk_ms"] / medians["reader_ms"], 2)}


def sdk_values(store: feast.FeatureStore, features: object, keys: list[dict[str, object]], names: list[str]) -> Values:
    columns = store.get_online_features(features=features, entity_rows=keys).to_dict()
    return list(zip(*(columns[name] for name in names), strict=True))


def timed(read: Callable[[], Values]) -> tuple[float, Values]:
    started = time.perf_counter()
    result = read()
    return time.perf_counter() - started, result


if __name__ == "__main__":
    main()
