"""The forms that a setting's text may have to have: checked when it is read, not when a server first uses it."""

import re
from ipaddress import IPv6Address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationInfo

from tidemill.config import cron
from tidemill.config.project import Project

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_EXECUTOR = re.compile(r"(\w+:)?(LocalExecutor|CeleryExecutor|KubernetesExecutor|\w+(\.\w+)+)", re.ASCII)
_MASTER = re.compile(r"local(\[(\*|[1-9]\d*)(,[1-9]\d*)?\])?|yarn|(spark|k8s)://\S+")


def host(text: str) -> str:
    """``text``, which is a name or an address alone."""
    if not _HOST.fullmatch(text):
        _check_ipv6(text, f"{text!r} is not a host: give a name or an address, without a port")
    return text


def host_port(text: str) -> str:
    """``text``, which is ``host:port``; an IPv6 address stands in brackets."""
    name, _, port = text.rpartition(":")
    wrong = f"{text!r} is not host:port, such as 127.0.0.1:9092 or [::1]:9092"
    if not _HOST.fullmatch(name):
        if not (name.startswith("[") and name.endswith("]")):
            raise ValueError(wrong)
        _check_ipv6(name[1:-1], wrong)
    if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65_535):
        raise ValueError(wrong)
    return text


def host_ports(text: str) -> str:
    """``text``, which is a list of ``host:port`` with commas between them."""
    for address in text.split(","):
        host_port(address.strip())
    return text


def http_url(text: str) -> str:
    """``text``, which is an ``http://`` or ``https://`` URL with a host."""
    wrong = f"must be a URL with scheme and host, such as http://127.0.0.1:8000, not {text!r}"
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError as error:
        raise ValueError(f"{wrong}: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port or re.search(r"\s", text):
        raise ValueError(wrong)
    if ":" in parts.hostname:
        _check_ipv6(parts.hostname, wrong)
    elif not _HOST.fullmatch(parts.hostname):
        raise ValueError(wrong)
    return text


def database_url(text: str) -> str:
    """``text``, which is a SQLAlchemy URL; ``{home}`` in it is the home folder."""
    if not re.match(r"[a-z][a-z0-9_]*(\+[a-z0-9_]+)?://", text):
        raise ValueError("must be a SQLAlchemy URL, such as postgresql+psycopg2://user@host/airflow")
    return _template(text)


def control_url(text: str) -> str:
    """``text``, which is a SQLAlchemy URL of one of the two databases that the control store can be in."""
    wrong = "must be sqlite:///{home}/control.db, another absolute file, or postgresql+psycopg://user@host/database"
    if text.startswith("sqlite:///"):
        if not re.match(r"(/|\{home\}/)[^?]*[^?/]$", text.removeprefix("sqlite:///")):
            raise ValueError(wrong)
    elif not re.fullmatch(r"postgresql\+psycopg://[^/\s]*/[^/\s?]+(\?\S+)?", text):
        raise ValueError(wrong)
    return _template(text)


def place(text: str) -> str:
    """``text``, which is an absolute path or a URI; ``{home}`` at its begin is the home folder."""
    if not re.match(r"/|\{home\}(/|$)|[a-z][a-z0-9+.-]*://", text):
        raise ValueError("must be an absolute path, begin with {home}, or be a URI: what reads it has other folders")
    return _template(text)


def _template(text: str) -> str:
    if re.search(r"[{}]", text.replace("{home}", "")):
        raise ValueError("{home} is all that is replaced in it")
    return text


def master(text: str) -> str:
    """``text``, which is a Spark master."""
    if not _MASTER.fullmatch(text):
        raise ValueError("must be local[N], local[*], spark://HOST:PORT, yarn, or k8s://...")
    return text


def executor(text: str) -> str:
    """``text``, which is one of Airflow's executors or several with commas between them.

    Each is one that Airflow knows by name, or the import path of a class; before it may stand a name and a colon.
    """
    for one in text.split(","):
        if not _EXECUTOR.fullmatch(one.strip()):
            known = "LocalExecutor, CeleryExecutor, KubernetesExecutor"
            raise ValueError(f"{one.strip()!r} is no executor: give {known}, or the import path of a class")
    return text


def use_cases(names: list[str], info: ValidationInfo) -> list[str]:
    """``names``, each of which is a use case of the platform or the project; none only where none can be trained."""
    known = _check_use_cases(names, info)
    if not names and _project(info).trained():
        raise ValueError(f"is empty; use_cases/ has: {', '.join(known)}")
    return names


def schedules(given: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    """``given``, a cron expression a use case."""
    _check_use_cases(list(given), info)
    return given


def _check_use_cases(names: list[str], info: ValidationInfo) -> list[str]:
    """The use cases that there are.

    Raises:
        ValueError: one of ``names`` is none of them.
    """
    known = list(_project(info).use_cases())
    _check_known(names, known, "which has no folder with a features.py; use_cases/ has")
    return known


def topics(names: list[str], info: ValidationInfo) -> list[str]:
    """``names``, each of which has a contract."""
    known = [path.stem for path in _project(info).contract_files()]
    _check_known(names, known, "which has no contract; there is")
    return names


def files_of_topics(given: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    """``given``, by topic an absolute path whose file name, and no folder of it, may have ``*`` and ``?``."""
    topics(list(given), info)
    for topic, path in given.items():
        if not re.fullmatch(r"(/|\{home\}/)([^*?/\n]+/)*[^/\n]+", path):
            raise ValueError(
                f"{topic}: {path!r} must be an absolute path, of which the file's name may have * and ?, such as "
                "/var/log/shop/clicks.jsonl*"
            )
        _template(path)
    return given


def _project(info: ValidationInfo) -> Project:
    return info.context["project"] if info.context else Project()


def _check_known(names: list[str], known: list[str], why: str) -> None:
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"names {', '.join(map(repr, unknown))}, {why}: {', '.join(known) or 'none'}")


def _check_ipv6(text: str, wrong: str) -> None:
    try:
        IPv6Address(text)
    except ValueError:
        raise ValueError(wrong) from None


Host = Annotated[str, AfterValidator(host)]
HostPort = Annotated[str, AfterValidator(host_port)]
HostPorts = Annotated[str, AfterValidator(host_ports)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
DatabaseUrl = Annotated[str, AfterValidator(database_url)]
ControlUrl = Annotated[str, AfterValidator(control_url)]
Place = Annotated[str, AfterValidator(place)]
Master = Annotated[str, AfterValidator(master)]
Executor = Annotated[str, AfterValidator(executor)]
Cron = Annotated[str, AfterValidator(cron.checked)]
UseCaseSchedules = Annotated[dict[str, Cron], AfterValidator(schedules)]
UseCases = Annotated[list[str], AfterValidator(use_cases)]
Topics = Annotated[list[str], AfterValidator(topics)]
FilesOfTopics = Annotated[dict[str, str], AfterValidator(files_of_topics)]
