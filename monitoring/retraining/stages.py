"""The stages of a request. Each does what is not done yet and notes it; done again, it finds what was done.

A stage may be killed at any point and begun again by another: what it had done is known by the request's id, which
the training run and the rollout have, and everything in between writes the same when done again.
"""

from dataclasses import replace

from ml_modeling.gates import GateReport
from ml_modeling.lifecycle import evaluate_run, gate_run
from ml_modeling.lifecycle import train as train_model
from ml_modeling.registry import tags
from ml_modeling.registry.versions import register
from ml_modeling.tracking.requested import end_overtaken, marks_of, trained_run
from ml_modeling.tracking.runs import TrainingRun, existing_run
from ml_modeling.training.tuning import Trial
from monitoring.control import RetrainRequest, State
from monitoring.looks.reference import keep_reference
from monitoring.looks.restoring import restore_of
from monitoring.retraining.data import require_good_data
from monitoring.retraining.lease import HeldLease
from monitoring.retraining.policy import by_policy, read_policy
from monitoring.retraining.progress import Gated, Trained, noted
from monitoring.retraining.work import Work
from monitoring.rollout.conducting import step
from monitoring.rollout.deciding import Action
from monitoring.rollout.work import Place
from monitoring.rollout.work import Work as RolloutWork
from tidemill.config.errors import TidemillError

ENDS = (Action.PROMOTE, Action.ROLL_BACK)


def train(work: Work, request: RetrainRequest, held: HeldLease) -> RetrainRequest:
    """From claimed to trained: by the run that an earlier holder finished, else by a new one."""
    policy = read_policy(request.policy).completed_by(work.use_case.spec.retraining)
    run_id = trained_run(work.settings, work.use_case.name, str(request.id))
    is_found = run_id is not None
    if run_id is None:
        require_good_data(work.settings, work.use_case)
        run_id = _train(replace(work, use_case=by_policy(work.settings, work.use_case, policy)), request, held)
    run = existing_run(work.settings, work.use_case.name, run_id)
    if is_found:
        restore_of(run, work.use_case)  # whoever trained it may have been killed before it was kept
    work.say(f"{'found' if is_found else 'trained'} run {run_id}")
    note = Trained(run_id=run_id, experiment_id=run.experiment_id, policy=dict(policy.said), found=is_found)
    return held.advance(State.CLAIMED, State.TRAINED, note.document)


def _train(work: Work, request: RetrainRequest, held: HeldLease) -> str:
    token, use_case = held.lease.token, work.use_case
    end_overtaken(work.settings, use_case.name, str(request.id), token)

    def progress(number: int, count: int, trial: Trial, best: Trial) -> None:
        held.check()
        work.say(f"trial {number}/{count} {trial.candidate} {trial.score:.4f}, best {best.candidate} {best.score:.4f}")

    marks = marks_of(str(request.id), token)
    run, model = train_model(work.settings, use_case, lambda: work.read(use_case), progress, marks)
    keep_reference(run, use_case, model)
    return run.run_id


def evaluate(work: Work, request: RetrainRequest, held: HeldLease) -> RetrainRequest:
    """Tests the trained run; the request stays trained, and the run says when all of it is there."""
    run = _run(work, request)
    if tags.EVALUATED not in run.read().data.tags:
        evaluate_run(work.settings, work.use_case, run.run_id)
    work.say(f"evaluated run {run.run_id}")
    return held.renew()


def gate(work: Work, request: RetrainRequest, held: HeldLease) -> RetrainRequest:
    """From trained to gated with either verdict; one that is no leads on to rejected."""
    run = _run(work, request)
    note = _verdict(run.run_id, gate_run(work.settings, work.use_case, run.run_id))
    work.say("passed every gate" if note.passed else f"failed: {'; '.join(note.reasons)}")
    gated = held.advance(State.TRAINED, State.GATED, note.document)
    return gated if note.passed else _reject(held, note)


def promote(work: Work, request: RetrainRequest, held: HeldLease) -> RetrainRequest:
    """From gated into the hands of its rollout, whose first step promotes it where nobody has to be asked for it."""
    note = noted(request, State.GATED, Gated)
    if not note.passed:
        return _reject(held, note)
    version = register(work.settings, work.use_case.name, note.run_id).version
    handed = held.hand_over(State.GATED, State.CANARY, {"run_id": note.run_id, "version": version})
    work.say(f"version {version} is handed to its rollout")
    try:
        work.say(_begin_rollout(work, handed))
    except TidemillError as error:
        work.say(f"its rollout begins with the next `tidemill rollout step {work.use_case.name}`: {error}")
    return work.store.requests.get(handed.id)


def _begin_rollout(work: Work, handed: RetrainRequest) -> str:
    """Why the rollout is where it is now. One of another request, which is over with a step, is brought to its end."""
    rollout = RolloutWork(Place(work.settings, work.store, work.use_case.name, f"request {handed.id}"), work.use_case)
    taken = step(rollout)
    while taken.action in ENDS and not work.store.requests.get(handed.id).state.is_finished:
        taken = step(rollout)
    return taken.why


def _reject(held: HeldLease, note: Gated) -> RetrainRequest:
    detail = {"run_id": note.run_id, "champion": note.champion, "reasons": list(note.reasons)}
    return held.advance(State.GATED, State.REJECTED, detail)


def _run(work: Work, request: RetrainRequest) -> TrainingRun:
    note = noted(request, State.TRAINED, Trained)
    return existing_run(work.settings, work.use_case.name, note.run_id)


def _verdict(run_id: str, report: GateReport) -> Gated:
    checks = tuple(f"{'passed' if check.passed else 'FAILED'} {check.gate}: {check.detail}" for check in report.checks)
    return Gated(
        run_id=run_id, passed=report.passed, champion=report.champion, reasons=tuple(report.reasons), checks=checks
    )
