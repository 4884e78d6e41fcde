"""The connection to Feast's online store, Redis."""

import json

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from redis import Redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings


class OnlineStoreUnavailableError(TransientError):
    """The online store did not answer in time or not properly; the message says where it was asked."""


def connection_string(settings: Settings, timeout_s: float) -> str:
    """Feast's form of the address: it splits at commas and reads values as JSON, hence the escaped password.

    ``timeout_s`` is shared by connecting and by waiting for the answer.
    """
    redis = settings.redis
    half = timeout_s / 2
    parts = [f"{redis.host}:{redis.port}", f"socket_connect_timeout={half}", f"socket_timeout={half}"]
    if redis.password is not None:
        parts.append("password=" + json.dumps(redis.password.get_secret_value()).replace(",", "\\u002c"))
    return ",".join(parts)


def connect(address: str, tries: int) -> tuple[RedisOnlineStore, Redis]:
    """Feast's store at a connection string, and the client it uses, which asks ``tries`` times before it gives up.

    redis-py by itself would ask four times, seconds apart: a request would wait far longer than its timeout.
    """
    store = RedisOnlineStore()
    client = store._get_client(RedisOnlineStoreConfig(connection_string=address))
    backoff = NoBackoff() if tries == 1 else ExponentialBackoff(cap=2, base=0.1)
    client.set_retry(Retry(backoff, tries - 1))
    return store, client


def unavailable(settings: Settings, error: object) -> OnlineStoreUnavailableError:
    return OnlineStoreUnavailableError(f"Redis at {settings.redis.host}:{settings.redis.port} did not answer: {error}")
