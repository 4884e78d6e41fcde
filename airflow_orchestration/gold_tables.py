"""What the declaration of a gold table says of its task; how its rows are made is not Airflow's affair."""

import json
from dataclasses import dataclass
from pathlib import Path

from airflow_orchestration.declarations import UNREADABLE, content, text
from tidemill.config.project import current_project


@dataclass(frozen=True)
class GoldTable:
    """``silver`` is the table that it is made of; empty with ``trouble``, which is why the file cannot be followed."""

    name: str
    description: str = ""
    silver: str = ""
    owner: str = "tidemill"
    trouble: str = ""


def gold_tables() -> list[GoldTable]:
    """Of each file of the platform and the project, in the order of their names.

    One whose file cannot be followed has no source: the others are kept up.
    """
    contracts = {file.stem: file for file in current_project().contract_files()}
    return [_gold_table(name, file, contracts) for name, file in current_project().gold_files().items()]


def _gold_table(name: str, file: Path, contracts: dict[str, Path]) -> GoldTable:
    try:
        declared = content(file)
        return GoldTable(
            name=name,
            description=text(declared, "description"),
            silver=_silver_of(text(declared, "source"), contracts),
            owner=text(declared, "owner", GoldTable.owner),
        )
    except UNREADABLE as error:
        return GoldTable(name, trouble=f"{file}: {error}")


def _silver_of(source: str, contracts: dict[str, Path]) -> str:
    if source not in contracts:
        raise ValueError(f"source = {source!r}: no contract has this topic")
    schema = json.loads(contracts[source].read_bytes())
    noun = schema.get("x-table") if isinstance(schema, dict) else None
    if not noun:
        raise ValueError(f"source = {source!r}: {contracts[source]} names no x-table")
    return f"silver/{noun}"
