"""Rows of the online store, written by Feast itself."""

from datetime import UTC, datetime

from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

from config import Settings
from feature_store import repository
from feature_store.views import CUSTOMER_SNAPSHOT
from use_cases.churn.features import FEATURES

AS_OF = datetime(2026, 1, 4, tzinfo=UTC)
KNOWN = tuple(f"known-{number}" for number in range(200))


def feature_values(customer_id: str) -> dict[str, float | None]:
    """Values that differ by customer and by feature; some are undefined."""
    number = int(customer_id.removeprefix("known-"))
    values: dict[str, float | None] = {name: float(number * 10 + position) for position, name in enumerate(FEATURES)}
    if number % 7 == 3:
        values["gap_mean_days"] = None
    return values


def write_rows(settings: Settings) -> None:
    view = CUSTOMER_SNAPSHOT
    rows = [
        (
            EntityKey(join_keys=[view.join_key], entity_values=[Value(string_val=customer_id)]),
            {name: _value(value) for name, value in feature_values(customer_id).items()},
            AS_OF,
            AS_OF,
        )
        for customer_id in KNOWN
    ]
    store = RedisOnlineStore()
    store.online_write_batch(repository.repo_config(settings), repository.feature_view(view, settings), rows, None)


def _value(value: float | None) -> Value:
    return Value() if value is None else Value(double_val=value)
