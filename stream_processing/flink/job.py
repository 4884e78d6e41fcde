"""Flink's jobs as they are declared: one YAML file each, ``use_cases/<folder>/flink/<job>.yaml``.

The file says which topics are read, how long to wait for latecomers, and by which query in Flink SQL a result is made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tidemill.config.declared import explained, read_declared
from tidemill.config.errors import TerminalError, nearest
from tidemill.config.project import current_project
from tidemill.contracts.registry import Contract, contracts

State = Literal["disk", "memory"]
NAME = re.compile(r"[a-z][a-z0-9_]*")


class JobError(TerminalError):
    """A declaration that cannot be used, or is not there; the message names the file, the key and the value."""


@dataclass(frozen=True)
class Job:
    """A query in Flink SQL over events, each result of which is an event itself.

    ``reads`` names each topic as the query calls it. ``waits_s``, ascending: the query runs once for each, and a result
    is sent when all that came within so many seconds after their time are in it. The same result has the same id.
    A partition of a topic without a message for ``idle_s`` holds the others' time back no longer: one that was only
    slow to be read has its events late then. ``state``: whether windows and patterns are held on the task manager's
    disk or in its heap. ``remembers_s``: how long a query that leaves out repetitions without a window remembers each
    event. ``views`` are queries that it may call by name, each those before it.
    """

    name: str
    file: Path
    description: str
    reads: Mapping[str, Contract]
    writes: Contract
    waits_s: tuple[float, ...]
    idle_s: float
    state: State
    remembers_s: float
    views: Mapping[str, str]
    query: str

    @property
    def source(self) -> str:
        """Of the events it sends, as CloudEvents calls it."""
        return f"urn:tidemill:flink:{self.name}"


def jobs() -> Mapping[str, Path]:
    """The file of each job of the platform and the project, by name."""
    return current_project().flink_files()


def job(name: str) -> Job:
    """The job ``name``.

    Raises:
        JobError: there is no such declaration, or it cannot be used.
    """
    files = jobs()
    if name not in files:
        raise JobError(f"no job {name!r}: no file use_cases/*/flink/*.yaml has its name{nearest(name, files)}")
    return read_job(files[name], contracts())


def read_job(file: Path, known: Mapping[str, Contract]) -> Job:
    """The job that ``file`` declares, its topics being among ``known``.

    Raises:
        JobError: the file cannot be read, is not YAML, or has an unknown, missing or bad value.
    """
    if NAME.fullmatch(file.stem) is None:
        raise JobError(f"{file}: the file's name is the job's: use lower-case letters, digits and underscores")
    content = read_declared(
        file, _Content, JobError, lambda problem: explained(problem, "a job", _Content.model_fields)
    )
    for key, topic in [
        *((f"reads.{name}", topic) for name, topic in content.reads.items()),
        ("writes", content.writes),
    ]:
        if topic not in known:
            raise JobError(f"{file}: {key} = {topic!r}: no contract has this topic{nearest(topic, known)}")
    return Job(
        name=file.stem,
        file=file,
        description=content.description,
        reads={name: known[topic] for name, topic in content.reads.items()},
        writes=known[content.writes],
        waits_s=content.waits_s,
        idle_s=content.idle_s,
        state=content.state,
        remembers_s=content.remembers_s,
        views={name: _statement(query) for name, query in content.views.items()},
        query=_statement(content.query),
    )


def _statement(query: str) -> str:
    return query.strip().removesuffix(";")


Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0.001, le=7 * 86_400)]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Text
    reads: dict[Text, Text] = Field(min_length=1)
    writes: Text
    waits_s: tuple[Seconds, ...] = Field(min_length=1)
    idle_s: Seconds = 300
    state: State = "disk"
    remembers_s: Seconds = 86_400
    views: dict[Text, Text] = {}
    query: Text

    @field_validator("reads", "views")
    @classmethod
    def _can_be_called(cls, named: dict[str, str]) -> dict[str, str]:
        for name in named:
            if NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} cannot name a table: use lower-case letters, digits and underscores")
        return named

    @field_validator("waits_s")
    @classmethod
    def _ascend(cls, waits_s: tuple[float, ...]) -> tuple[float, ...]:
        if list(waits_s) != sorted(set(waits_s)):
            raise ValueError(f"{list(waits_s)} do not ascend: each wait is longer than the one before")
        return waits_s
