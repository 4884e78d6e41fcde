"""``tidemill retrain run`` and the stages one by one: working a request off."""

import logging
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from tidemill.commands.requesting import check_use_case, raise_unless_promoted
from tidemill.config import load_settings, strict_json
from tidemill.config.errors import TransientError

if TYPE_CHECKING:
    from ml_modeling.frames.frame import SplitFrame
    from ml_modeling.use_case import UseCase
    from monitoring.control import ControlStore, RetrainRequest
    from monitoring.retraining.work import Work

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
request_option = click.option("--request", "request_id", type=click.UUID, help="This one, not the oldest.")
holder_option = click.option(
    "--holder", help="Who works on it; this process if not set. The same one gets what it holds once more."
)


class AlreadyHeldError(TransientError):
    """The request that was named is held by another, or is not one to work off."""


@click.command()
@click.argument("use_case")
@request_option
@as_json_option
def run(use_case: str, request_id: UUID | None, as_json: bool) -> None:
    """Work the oldest open request of USE_CASE off, to its end; exit 1 if no model is promoted."""
    from monitoring.retraining.working_off import work_off

    check_use_case(use_case)
    with _store() as store:
        work = _work(store, use_case)  # nothing is claimed for a use case that cannot be read
        claimed = _claim(store, use_case, request_id, f"{os.getpid()} on {socket.gethostname()} {uuid.uuid4().hex[:8]}")
        if claimed is None:
            _print(None, as_json, _none_of(use_case))
            return
        _say(f"request {claimed.id} of {use_case}: {claimed.reason}")
        ended = work_off(work, claimed.lease)
    _print(ended, as_json, f"request {ended.id} is {ended.state}")
    raise_unless_promoted(ended)


@click.command()
@click.argument("use_case")
@as_json_option
def waiting(use_case: str, as_json: bool) -> None:
    """Show the request of USE_CASE that a claim would get now, if there is one."""
    from monitoring.retraining.order import TO_WORK_OFF

    check_use_case(use_case)
    with _store() as store:
        request = store.requests.waiting(use_case, TO_WORK_OFF)
    _print(request, as_json, f"request {request.id} is {request.state}" if request else _none_of(use_case))


@click.command()
@click.argument("use_case")
@request_option
@holder_option
@as_json_option
def claim(use_case: str, request_id: UUID | None, holder: str | None, as_json: bool) -> None:
    """Claim the oldest open request of USE_CASE for the stages that follow; prints its id and token."""
    check_use_case(use_case)
    with _store() as store:
        claimed = _claim(store, use_case, request_id, holder or f"{os.getpid()} on {socket.gethostname()}")
    if claimed is None:
        _print(None, as_json, _none_of(use_case))
        return
    _print(claimed, as_json, f"request {claimed.id}, token {claimed.token}, is {claimed.state}")


def _stage_command(name: str, what: str) -> click.Command:
    @click.command(name=name, help=f"{what} Done again, it finds what was done.")
    @click.argument("use_case")
    @click.option("--request", "request_id", type=click.UUID, required=True, help="The request's id.")
    @click.option("--token", type=int, required=True, help="The token of the claim.")
    @as_json_option
    def stage(use_case: str, request_id: UUID, token: int, as_json: bool) -> None:
        from monitoring.control import Lease
        from monitoring.retraining.working_off import do_stage

        check_use_case(use_case)
        with _store() as store:
            done = do_stage(_work(store, use_case), Lease(request_id, token), name)
        _print(done, as_json, f"request {done.id} is {done.state}")

    return stage


train = _stage_command("train", "Train a model for a claimed request.")
evaluate = _stage_command("evaluate", "Test the model of a request.")
gate = _stage_command("gate", "Judge the model of a request; both verdicts exit 0.")
promote = _stage_command("promote", "Register the model of a request and begin its rollout.")
COMMANDS = (run, waiting, claim, train, evaluate, gate, promote)


def _claim(store: "ControlStore", use_case: str, request_id: UUID | None, holder: str) -> "RetrainRequest | None":
    """The request that ``holder`` has already, else the oldest free one that has not expired, or the one that is named.

    What a person names is taken however old it is.
    """
    from monitoring.retraining.order import EXPIRES_AFTER, TO_WORK_OFF

    duration = timedelta(seconds=load_settings().control.lease_s)
    for request in store.requests.newest(use_case, is_open=True):
        if request.holder == holder and request.state in TO_WORK_OFF and request_id in {None, request.id}:
            return store.requests.renew(request.lease, duration)
    if request_id is None:
        for expired in store.requests.expire(EXPIRES_AFTER, holder, use_case):
            _say(f"request {expired.id} of {use_case} has expired: nobody took it since {expired.requested_at:%F}")
    claimed = store.requests.claim(holder, duration, use_case, request_id=request_id, states=TO_WORK_OFF)
    if claimed is None and request_id is not None:
        named = store.requests.get(request_id)
        raise AlreadyHeldError(
            f"request {request_id} of {named.use_case} is {named.state}, held by {named.holder or 'nobody'}: "
            f"it cannot be claimed for {use_case} now"
        )
    return claimed


def _work(store: "ControlStore", use_case: str) -> "Work":
    from ml_modeling.use_case import load_use_case
    from monitoring.retraining.work import Work

    settings = load_settings()

    def read(definition: "UseCase") -> "SplitFrame":
        from ml_modeling.frames.frame import read_in_session

        return read_in_session(settings, definition)

    return Work(settings, store, load_use_case(use_case), read, _say)


@contextmanager
def _store() -> "Iterator[ControlStore]":
    from monitoring.control import control_store

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("ml_modeling").setLevel(logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries end in an error of ours
    with control_store(load_settings()) as store:
        yield store


def _none_of(use_case: str) -> str:
    return f"no open request of {use_case} waits"


def _say(text: str) -> None:
    click.echo(text, err=True)


def _print(request: "RetrainRequest | None", as_json: bool, text: str) -> None:
    click.echo(strict_json.dumps(_document(request), default=str) if as_json else text)


def _document(request: "RetrainRequest | None") -> dict[str, Any]:
    """What a task hands on to the next; without a request, none has an id."""
    if request is None:
        return {"request_id": None}
    trained = request.progress.get("trained", {})
    run = {name: trained[name] for name in ("run_id", "experiment_id") if name in trained}
    own = {"request_id": request.id, "use_case": request.use_case, "state": request.state, "token": request.token}
    return {**own, **run, **request.progress}
