"""The environment of every process of the platform: what it keeps of the caller's shell, what it is given, and the
settings as ``TIDEMILL_*`` variables, which is how a process hands its effective settings to a child.

Servers and clients alike obey variables that a shell has for other programs: a proxy, another MLflow, another Spark,
options of Java, folders of Python modules. So what passes is a list, and all else is left out.
"""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from tidemill.config.installation import XDG_VARIABLE, packages_folder
from tidemill.config.origin import ENV_PREFIX
from tidemill.config.project import VARIABLE
from tidemill.config.settings import Settings
from tidemill.config.user import own_home

KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "JAVA_HOME", "LD_LIBRARY_PATH"),
    *(f"{ENV_PREFIX}*", XDG_VARIABLE),
    # What marks a process as one of the stack; `tidemill.stack.supervision.processes` looks for it.
    "SUPERVISED_FROM",
    # Who one is to an object store, a Kafka with Kerberos and a tracking server that asks.
    *("AWS_*", "AZURE_*", "GOOGLE_APPLICATION_CREDENTIALS", "KRB5_CONFIG", "KRB5CCNAME"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
)
"""Names of variables that pass, ``*`` for any letters; ``settings.keep_variables`` adds to them."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Pass in both cases when they name an HTTP proxy. No client here speaks SOCKS: some fail at its sight alone."""

NO_PROXY = ("NO_PROXY", "no_proxy")
LOOPBACK = ("127.0.0.1", "localhost", "::1")

UTF8 = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
"""The locale of every process that the platform starts, whatever the caller's: Java takes the encoding of file names
from it, and one that cannot spell the home folder's name writes into another folder."""

GIVEN = UTF8 | {
    # Our own packages come first, and nobody's of the same names.
    "PYTHONPATH": str(packages_folder()),
    # Output reaches the log also when the process is killed.
    "PYTHONUNBUFFERED": "1",
    # Two malloc arenas instead of eight a core keep a threaded process from holding memory it has freed.
    "MALLOC_ARENA_MAX": "2",
}
"""What every process of the platform gets."""


def process_environment(settings: Settings, inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables of a process of the platform whose caller has ``inherited``: no proxy before our services."""
    kept = {name: value for name, value in inherited.items() if is_kept(settings, name, value)}
    if not kept.get("HOME") and own_home() is None:
        kept["HOME"] = str(settings.home)  # libraries ask for it
    return kept | GIVEN | dict.fromkeys(NO_PROXY, ",".join(_reached_directly(settings, inherited)))


def is_kept(settings: Settings, name: str, value: str) -> bool:
    """Whether the variable passes from a caller's shell to the platform's processes."""
    if any(fnmatchcase(name, pattern) for pattern in (*KEPT, *settings.keep_variables)):
        return True
    return name in NO_PROXY or (name.upper() in PROXIES and _is_http_proxy(value))


def settings_environment(settings: Settings) -> dict[str, str]:
    """The variables with which :func:`tidemill.config.load_settings` gives ``settings`` again in another process."""
    return {VARIABLE: "", **dict(_variables(settings, ENV_PREFIX))}


def _reached_directly(settings: Settings, inherited: Mapping[str, str]) -> list[str]:
    """What the caller's ``NO_PROXY`` says, this machine, and each host that the settings name; each once."""
    given = [host.strip() for name in NO_PROXY for host in inherited.get(name, "").split(",")]
    servers = settings.kafka.bootstrap_servers.split(",")
    addresses = (*servers, settings.redis.host, settings.stream.metrics_address)
    urls = (
        settings.mlflow.tracking_uri,
        settings.airflow.url,
        settings.serving.url,
        settings.events.url,
        settings.flink.url,
        settings.nifi.url,
    )
    if "*" in given:
        return ["*"]
    hosts = [urlsplit(url).hostname for url in (*urls, *(f"//{address.strip()}" for address in addresses))]
    return [host for host in dict.fromkeys((*given, *LOOPBACK, *hosts)) if host]


def _is_http_proxy(value: str) -> bool:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _variables(section: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for field in type(section).model_fields:
        name, value = f"{prefix}{field.upper()}", getattr(section, field)
        if isinstance(value, BaseModel):
            yield from _variables(value, f"{name}__")
        elif value is not None:
            yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
