"""Ports of the local stack that are a project's own: each default moved by one offset."""

import json
import random
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidemill.config.errors import ConfigError, TransientError
from tidemill.config.files import write_once

ORIGIN = "ports.offset"
DEFAULTS: Mapping[str, str | int] = {
    "kafka.bootstrap_servers": "127.0.0.1:9092",
    "kafka.controller_port": 9093,
    "redis.port": 6379,
    "mlflow.tracking_uri": "http://127.0.0.1:5000",
    "stream.metrics_address": "127.0.0.1:9108",
    "airflow.url": "http://127.0.0.1:8080",
    "serving.url": "http://127.0.0.1:8000",
    "flink.url": "http://127.0.0.1:8081",
    "flink.rpc_port": 6123,
    "nifi.url": "http://127.0.0.1:8082",
    "nifi.management_port": 8083,
    "nifi.receiver_port": 8084,
    "events.url": "http://127.0.0.1:8085",
}
"""The settings that hold a port of the local stack, at their defaults."""
CHOICE = range(10_000, 23_000, 10)
"""Of offsets: what they lead to lies below the ports that Linux gives to outgoing connections, from 32768 on."""
HIGHEST = 65_535
TRIES = 100
_PORT = re.compile(r"\d+$")


class NoFreePortsError(TransientError):
    """No offset was found that leads to free ports only."""


def moved(
    home: Path, offset: int | str, values: Mapping[str, Any], origin: Mapping[str, str], choose: bool
) -> dict[str, Any]:
    """The nested values of the settings that nobody has set, with their ports moved; empty when none is moved."""
    unset = [key for key in DEFAULTS if key not in origin]
    if not unset or values.get("profile", "local") != "local":
        return {}
    number = _kept(home, choose) if offset == "auto" else int(offset)
    if not number:
        return {}
    result: dict[str, Any] = {}
    for key in unset:
        section, name = key.split(".")
        result.setdefault(section, {})[name] = _plus(DEFAULTS[key], number)
    return result


def file_of(home: Path) -> Path:
    """Where the chosen offset is kept."""
    return home / "ports.json"


def _plus(default: str | int, offset: int) -> str | int:
    if isinstance(default, int):
        return default + offset
    return _PORT.sub(lambda port: str(int(port[0]) + offset), default)


def _kept(home: Path, choose: bool) -> int:
    """The offset of this home; 0 when none was chosen and none is to be."""
    file = file_of(home)
    if not file.exists():
        if not choose:
            return 0
        _keep(file, _free_offset())
    return _read(file)


def _read(file: Path) -> int:
    try:
        offset = json.loads(file.read_text(encoding="utf-8"))["offset"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(file, f"{type(error).__name__}: {error}") from error
    if type(offset) is not int or offset not in CHOICE:
        raise _unusable(file, f"offset {offset!r} is none that is chosen")
    return offset


def _unusable(file: Path, why: str) -> ConfigError:
    return ConfigError(f"{file} is not as it was written ({why}): with the stack down remove it, to have others chosen")


def _keep(file: Path, offset: int) -> None:
    try:
        write_once(file, json.dumps({"offset": offset}).encode())
    except OSError as error:
        raise ConfigError(f"ports.offset = 'auto': {file} cannot be written: {error.strerror}") from error


def _free_offset() -> int:
    chosen = random.SystemRandom()
    ports = [int(_PORT.search(str(default))[0]) for default in DEFAULTS.values()]  # type: ignore[index]
    for _ in range(TRIES):
        offset = chosen.choice(CHOICE)
        if all(_is_free(port + offset) for port in ports):
            return offset
    raise NoFreePortsError(f"ports.offset = 'auto': found no {len(DEFAULTS)} free ports: give an offset of your own")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
