"""The tables that start a DAG when another DAG has written them; see ``docs/orchestration.md`` for what is durable."""

from airflow.sdk import Asset

CUSTOMER_SNAPSHOT = Asset("gold/customer_snapshot")
