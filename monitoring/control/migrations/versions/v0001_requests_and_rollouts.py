"""Requests with their trail, what was suppressed, rollouts and approvals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SOURCES = ("drift", "performance", "consistency", "schedule", "new_data", "person")
STATES = ("requested", "claimed", "trained", "gated", "canary", "promoted", "rejected", "failed", "expired")
POLICIES = ("direct", "manual", "shadow", "canary", "ab", "blue_green")
OPEN = "state IN ('requested', 'claimed', 'trained', 'gated', 'canary')"
TIME = sa.DateTime(timezone=True)
NAME = sa.String(200)


def upgrade() -> None:
    op.create_table("use_cases", sa.Column("name", NAME, nullable=False), sa.PrimaryKeyConstraint("name"))
    _requests()
    _rollouts()


def _requests() -> None:
    op.create_table(
        "retrain_requests",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("use_case", NAME, sa.ForeignKey("use_cases.name"), nullable=False),
        sa.Column("source", sa.String(16), _among("source", SOURCES), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("policy", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), _among("state", STATES), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("requested_at", TIME, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("last_asked_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("holder", NAME),
        sa.Column("lease_from", TIME),
        sa.Column("lease_until", TIME),
        sa.UniqueConstraint("id"),
    )
    op.create_index(
        "uq_retrain_requests_open",
        "retrain_requests",
        ["use_case", "key"],
        unique=True,
        sqlite_where=sa.text(OPEN),
        postgresql_where=sa.text(OPEN),
    )
    op.create_index(None, "retrain_requests", ["use_case", "requested_at"])
    op.create_index(None, "retrain_requests", ["state", "number"])
    op.create_table(
        "retrain_transitions",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("request", sa.Integer, sa.ForeignKey("retrain_requests.number"), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("from_state", sa.String(16), _among("from_state", STATES)),
        sa.Column("to_state", sa.String(16), _among("to_state", STATES), nullable=False),
        sa.Column("token", sa.Integer),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.UniqueConstraint("request", "ordinal"),
    )
    op.create_table(
        "retrain_suppressed",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("use_case", NAME, sa.ForeignKey("use_cases.name"), nullable=False),
        sa.Column("source", sa.String(16), _among("source", SOURCES), nullable=False),
        sa.Column("key", NAME, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("why", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index(None, "retrain_suppressed", ["use_case"])


def _rollouts() -> None:
    op.create_table(
        "rollout_changes",
        sa.Column("use_case", NAME, sa.ForeignKey("use_cases.name"), nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("policy", sa.String(16), _among("policy", POLICIES), nullable=False),
        sa.Column("champion", sa.JSON),
        sa.Column("challenger", sa.JSON),
        sa.Column("share", sa.Integer, sa.CheckConstraint("share BETWEEN 0 AND 100", name="share"), nullable=False),
        sa.Column("step_since", TIME, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("request_id", sa.Uuid, sa.ForeignKey("retrain_requests.id")),
        sa.PrimaryKeyConstraint("use_case", "epoch"),
    )
    op.create_table(
        "rollout_approvals",
        sa.Column("use_case", NAME, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("model", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["use_case", "epoch"], ["rollout_changes.use_case", "rollout_changes.epoch"]),
        sa.PrimaryKeyConstraint("use_case", "epoch", "actor"),
    )


def _among(column: str, words: tuple[str, ...]) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN ({', '.join(map(repr, words))})", name=column)
