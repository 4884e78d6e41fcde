"""The tables, as the newest migration leaves them."""

from enum import StrEnum

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from monitoring.control.clock import UtcTime
from monitoring.control.states import OPEN, Policy, Source, State

VERSION = "0001"
"""The newest migration."""
VERSION_TABLE = "control_version"
"""Not Alembic's default: MLflow's or Airflow's may be in the same database."""
NAME_LENGTH = 200
"""Characters of a use case, a key or a person: an index has to hold them."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(words: type[StrEnum], name: str) -> Enum:
    return Enum(
        words,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=16,
        values_callable=lambda members: [member.value for member in members],
    )


use_cases = Table("use_cases", metadata, Column("name", String(NAME_LENGTH), primary_key=True))
"""A row to lock: what counts requests of a use case and adds one, does it alone."""

requests = Table(
    "retrain_requests",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("use_case", String(NAME_LENGTH), ForeignKey(use_cases.c.name), nullable=False),
    Column("source", _one_of(Source, "source"), nullable=False),
    Column("key", String(NAME_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(NAME_LENGTH), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("policy", JSON, nullable=False),
    Column("state", _one_of(State, "state"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("requested_at", UtcTime, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("last_asked_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("progress", JSON, nullable=False),
    Column("token", Integer, nullable=False),
    Column("holder", String(NAME_LENGTH)),
    Column("lease_from", UtcTime),
    Column("lease_until", UtcTime),
)
_is_open = text(f"state IN ({', '.join(repr(state.value) for state in OPEN)})")
Index(
    "uq_retrain_requests_open",
    requests.c.use_case,
    requests.c.key,
    unique=True,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)
Index(None, requests.c.use_case, requests.c.requested_at)
Index(None, requests.c.state, requests.c.number)

transitions = Table(
    "retrain_transitions",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("request", Integer, ForeignKey(requests.c.number), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(NAME_LENGTH), nullable=False),
    Column("from_state", _one_of(State, "from_state")),
    Column("to_state", _one_of(State, "to_state"), nullable=False),
    Column("token", Integer),
    Column("detail", JSON, nullable=False),
    UniqueConstraint("request", "ordinal"),
)
"""Rows are added, never changed. Two who move a request at once would add the same ordinal."""

suppressed = Table(
    "retrain_suppressed",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("use_case", String(NAME_LENGTH), ForeignKey(use_cases.c.name), nullable=False, index=True),
    Column("source", _one_of(Source, "source"), nullable=False),
    Column("key", String(NAME_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(NAME_LENGTH), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("why", String(16), nullable=False),
    Column("detail", Text, nullable=False),
)

rollouts = Table(
    "rollout_changes",
    metadata,
    Column("use_case", String(NAME_LENGTH), ForeignKey(use_cases.c.name), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("policy", _one_of(Policy, "policy"), nullable=False),
    Column("champion", JSON(none_as_null=True)),
    Column("challenger", JSON(none_as_null=True)),
    Column("share", Integer, CheckConstraint("share BETWEEN 0 AND 100", name="share"), nullable=False),
    Column("step_since", UtcTime, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(NAME_LENGTH), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("request_id", Uuid, ForeignKey(requests.c.id)),
)
"""Rows are added, never changed: the one of the highest epoch holds."""

approvals = Table(
    "rollout_approvals",
    metadata,
    Column("use_case", String(NAME_LENGTH), primary_key=True),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("actor", String(NAME_LENGTH), primary_key=True),
    Column("model", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    ForeignKeyConstraint(["use_case", "epoch"], [rollouts.c.use_case, rollouts.c.epoch]),
)
