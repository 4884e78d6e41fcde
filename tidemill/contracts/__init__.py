"""What an event is: one JSON Schema a topic, and the code that loads, checks and evolves them."""

from tidemill.contracts.checker import Checker, Event, Reason, Rejection, checker
from tidemill.contracts.columns import Column, data_columns, data_ddl
from tidemill.contracts.errors import ContractError
from tidemill.contracts.events import event, event_at, event_id, event_time
from tidemill.contracts.registry import Contract, contract, contracts

__all__ = [
    "Checker",
    "Column",
    "Contract",
    "ContractError",
    "Event",
    "Reason",
    "Rejection",
    "checker",
    "contract",
    "contracts",
    "data_columns",
    "data_ddl",
    "event",
    "event_at",
    "event_id",
    "event_time",
]
