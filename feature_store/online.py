"""The newest features of an entity, for a request: read from Feast's online store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from redis.exceptions import RedisError

from config.settings import Settings
from feature_store import repository
from feature_store.online_store import OnlineStoreUnavailableError, connect, unavailable
from feature_store.views import service

__all__ = ["FeatureRow", "OnlineReader", "OnlineStoreUnavailableError"]

NEVER = datetime.fromtimestamp(0, tz=UTC)


@dataclass(frozen=True)
class FeatureRow:
    """The features of one entity, ordered like :attr:`OnlineReader.names` (None: undefined), and their time."""

    values: tuple[float | None, ...]
    as_of: datetime


class OnlineReader:
    """Reads the features of one service; made once, used by any number of threads."""

    def __init__(self, settings: Settings, service_name: str) -> None:
        wanted = service(service_name)
        self.names: tuple[str, ...] = wanted.features
        self._config = repository.repo_config(settings, settings.serving.feature_timeout_s)
        self._view = repository.feature_view(wanted.view, settings)
        self._join_key = wanted.view.join_key
        self._settings = settings
        self._store, _ = connect(self._config.online_store.connection_string, tries=1)

    def read(self, ids: Sequence[str]) -> list[FeatureRow | None]:
        """The row of each id, in order; None for an entity the store does not know.

        Raises:
            OnlineStoreUnavailableError: no proper answer within ``serving.feature_timeout_s``.
        """
        if not ids:
            return []
        keys = [EntityKey(join_keys=[self._join_key], entity_values=[Value(string_val=key)]) for key in ids]
        try:
            rows = self._store.online_read(self._config, self._view, keys, list(self.names))
        except RedisError as error:
            raise unavailable(self._settings, error) from error
        return [self._row(as_of, values) for as_of, values in rows]

    def _row(self, as_of: datetime | None, values: dict[str, Value] | None) -> FeatureRow | None:
        # Feast answers an unknown key with the epoch and empty values.
        if as_of is None or values is None or as_of == NEVER:
            return None
        return FeatureRow(tuple(_number(values[name]) for name in self.names), as_of)


def _number(value: Value) -> float | None:
    return value.double_val if value.HasField("double_val") else None
