"""
### Silver to gold

Every 15 minutes: when silver has commits that no earlier run has handled, a task a gold table recomputes the dates that
those commits touched, late events included. Without new commits the run is skipped.

Before that, silver tables that have a suite of expectations are judged, the same dates: as long as
one fails a critical expectation, its `check_<table>` fails and nothing is made of it. Other tables go on.

A gold table is a file `use_cases/<folder>/gold/<table>.yaml`. A run you trigger by hand goes on at once. Running it
again changes nothing: each table remembers in its own last commit which silver version it was made from, and has
nothing to do when its own source is no further.

**When a task fails**: read its log, mend the cause, and clear the task; the next run would also do the same work. The
tables of the other tasks are kept up meanwhile.
"""

from collections.abc import Sequence
from datetime import timedelta

from airflow.sdk import DAG

from airflow_orchestration.defaults import DEFAULT_ARGS
from airflow_orchestration.gold_tables import GoldTable, gold_tables
from airflow_orchestration.plugins.operators.platform_command import PlatformCommandOperator
from airflow_orchestration.plugins.operators.record_handled import RecordHandledOperator
from airflow_orchestration.plugins.sensors.delta_commit import DeltaCommitSensor
from airflow_orchestration.processes import SPARK_POOL
from airflow_orchestration.schedules import schedule
from airflow_orchestration.suites import judged_tables

TROUBLE = "**{trouble}**\n\nUntil that is mended, the task fails with the reason."


def refresh(table: GoldTable) -> PlatformCommandOperator:
    """The task that brings ``table`` up to its source."""
    return PlatformCommandOperator(
        task_id=table.name,
        command=["tidemill", "lake", "refresh", table.name],
        owner=table.owner,
        pool=SPARK_POOL,
        execution_timeout=timedelta(minutes=30),
        doc_md=TROUBLE.format(trouble=table.trouble) if table.trouble else f"`gold/{table.name}`: {table.description}.",
    )


def check(silver: str) -> PlatformCommandOperator:
    """The task that judges ``silver`` before something is made of it."""
    return PlatformCommandOperator(
        task_id=f"check_{silver.removeprefix('silver/')}",
        command=["tidemill", "quality", "run", silver],
        pool=SPARK_POOL,
        execution_timeout=timedelta(minutes=30),
        doc_md=f"Judges the changed dates of `{silver}`; fails while a critical expectation fails on any date: "
        f"`tidemill quality show {silver}`.",
    )


def gold_dag(tables: Sequence[GoldTable]) -> DAG:
    """The DAG of all ``tables``; on demand only when no source of theirs is known."""
    sources = sorted({table.silver for table in tables if table.silver})
    with DAG(
        dag_id="lakehouse_gold",
        description="New silver commits become gold tables",
        schedule=schedule("lakehouse_gold") if sources else None,
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=2),
        default_args=DEFAULT_ARGS,
        tags=["lakehouse", "spark", *(["trouble"] if any(table.trouble for table in tables) else [])],
        doc_md=__doc__,
    ) as dag:
        refreshes = {table.name: refresh(table) for table in tables}
        if sources:
            new_silver_commits = DeltaCommitSensor(
                task_id="new_silver_commits",
                tables=sources,
                poke_interval=5,
                timeout=60,
                doc_md=f"Waits a minute for a commit of `{'`, `'.join(sources)}` that was not handled, else skips.",
            )
            record_handled = RecordHandledOperator(
                task_id="record_handled",
                sensor="new_silver_commits",
                doc_md="Notes the silver versions seen at the start of the run as handled, as every task succeeded.",
            )
            is_judged = judged_tables()
            checks = {silver: check(silver) for silver in sources if is_judged(silver)}
            for table in tables:
                before = checks.get(table.silver, new_silver_commits)
                before >> refreshes[table.name] >> record_handled
            new_silver_commits >> list(checks.values())
    return dag


if declared := gold_tables():
    lakehouse_gold = gold_dag(declared)
