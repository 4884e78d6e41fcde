"""NiFi's REST API (its documentation, "REST API 2.3"), as far as it is needed here; what it answers is checked."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.settings import Settings

TIMEOUT_S = 60.0
POLL_S = 0.3
CLIENT = "tidemill"


class NifiAwayError(TransientError):
    """NiFi does not answer, or answers something else than its documentation says."""


class NifiRefusedError(TerminalError):
    """NiFi answered and said no; the message has its reason."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Revision(_Answer):
    version: int
    clientId: str | None = None  # noqa: N815 - NiFi's name


class GroupComponent(_Answer):
    name: str
    comments: str = ""


class Group(_Answer):
    """A process group: one flow."""

    id: str
    revision: Revision
    component: GroupComponent
    running: int = Field(0, alias="runningCount")
    stopped: int = Field(0, alias="stoppedCount")
    invalid: int = Field(0, alias="invalidCount")


class ProcessorComponent(_Answer):
    name: str
    state: str
    validation: str = Field("VALIDATING", alias="validationStatus")
    errors: tuple[str, ...] = Field((), alias="validationErrors")


class Processor(_Answer):
    id: str
    component: ProcessorComponent


class _Request(_Answer):
    requestId: str  # noqa: N815
    complete: bool
    failureReason: str | None = None  # noqa: N815


class _Groups(_Answer):
    groups: tuple[Group, ...] = Field(alias="processGroups")


class _Processors(_Answer):
    processors: tuple[Processor, ...]


class _Replacement(_Answer):
    request: _Request


class _Snapshot(_Answer):
    queued: int = Field(alias="flowFilesQueued")
    queued_bytes: int = Field(alias="bytesQueued")


class _Aggregate(_Answer):
    snapshot: _Snapshot = Field(alias="aggregateSnapshot")


class _Status(_Answer):
    status: _Aggregate = Field(alias="processGroupStatus")


A = TypeVar("A", bound=_Answer)


class Nifi:
    """Talks to ``settings.nifi.url``, past any proxy."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.nifi.url.rstrip("/")
        self._client = httpx.Client(base_url=f"{self.url}/nifi-api", timeout=TIMEOUT_S, trust_env=False)

    def groups(self) -> Sequence[Group]:
        """The process groups on the first page."""
        return self._ask(_Groups, "GET", "/process-groups/root/process-groups").groups

    def processors(self, group: str) -> Sequence[Processor]:
        return self._ask(
            _Processors, "GET", f"/process-groups/{group}/processors?includeDescendantGroups=true"
        ).processors

    def queued(self, group: str) -> int:
        """How many FlowFiles wait in the group's queues."""
        return self._ask(_Status, "GET", f"/flow/process-groups/{group}/status").status.snapshot.queued

    def upload(self, name: str, definition: Mapping[str, Any], position: tuple[int, int]) -> Group:
        """A new group made from a flow definition."""
        x, y = position
        form = {"groupName": name, "positionX": str(x), "positionY": str(y), "clientId": CLIENT}
        file = (f"{name}.json", json.dumps(definition).encode(), "application/json")
        return self._ask(Group, "POST", "/process-groups/root/process-groups/upload", data=form, files={"file": file})

    def replace(self, group: Group, definition: Mapping[str, Any], timeout_s: float) -> None:
        """Make ``group`` what ``definition`` says; what waits in queues that stay is kept.

        Raises:
            NifiRefusedError: it cannot, for example since a queue that is not empty would go.
        """
        revision = {"version": group.revision.version, "clientId": CLIENT}
        body = {"processGroupRevision": revision, "versionedFlowSnapshot": definition}
        request = self._ask(_Replacement, "POST", f"/process-groups/{group.id}/replace-requests", json=body).request
        path, deadline = f"/process-groups/replace-requests/{request.requestId}", time.monotonic() + timeout_s
        while not request.complete and time.monotonic() < deadline:
            time.sleep(POLL_S)
            request = self._ask(_Replacement, "GET", path).request
        self._ask(_Replacement, "DELETE", path)
        if not request.complete or request.failureReason:
            raise NifiRefusedError(
                f"NiFi did not take the new version of {group.component.name}: "
                f"{request.failureReason or f'no answer in {timeout_s:.0f} s'}"
            )

    def enable_services(self, group: str) -> None:
        """Enable what the processors of the group share; one that is enabled stays so."""
        path = f"/flow/process-groups/{group}/controller-services"
        self._ask(_Answer, "PUT", path, json={"id": group, "state": "ENABLED"})

    def run(self, group: str) -> None:
        """Start every processor of the group."""
        self._ask(_Answer, "PUT", f"/flow/process-groups/{group}", json={"id": group, "state": "RUNNING"})

    def _ask(self, answer: type[A], method: str, path: str, **request: Any) -> A:
        try:
            response = self._client.request(method, path, **request)
        except httpx.TransportError as error:
            raise NifiAwayError(
                f"NiFi at {self.url} does not answer ({error or type(error).__name__}): `tidemill up nifi`"
            ) from error
        if response.is_error:
            said = " ".join(response.text.split())[:300]
            raise NifiRefusedError(f"NiFi at {self.url} answered {response.status_code} to {method} {path}: {said}")
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"]))
            raise NifiAwayError(
                f"NiFi at {self.url} answered {method} {path} with what is not of its version ({place}: "
                f"{problem['msg']}): is another program there?"
            ) from error
