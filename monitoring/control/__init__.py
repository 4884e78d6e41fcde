"""The control store: retrain requests that are neither lost nor doubled, and which version gets which traffic."""

from monitoring.control.errors import (
    ControlStoreAwayError,
    ControlStoreNewerError,
    ControlStoreRefusedError,
    LeaseLostError,
    NoSuchRequestError,
    StateConflictError,
    UnusableRecordError,
)
from monitoring.control.records import (
    Approval,
    Ask,
    Lease,
    Limits,
    ModelRef,
    RetrainRequest,
    Rollout,
    Suppressed,
    Traffic,
    Transition,
)
from monitoring.control.states import Policy, Source, State
from monitoring.control.store import ControlStore, control_store, is_made

__all__ = [
    "Approval",
    "Ask",
    "ControlStore",
    "ControlStoreAwayError",
    "ControlStoreNewerError",
    "ControlStoreRefusedError",
    "Lease",
    "LeaseLostError",
    "Limits",
    "ModelRef",
    "NoSuchRequestError",
    "Policy",
    "RetrainRequest",
    "Rollout",
    "Source",
    "State",
    "StateConflictError",
    "Suppressed",
    "Traffic",
    "Transition",
    "UnusableRecordError",
    "control_store",
    "is_made",
]
