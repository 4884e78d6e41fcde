"""The steps of a model's life before the registry: train, evaluate, gate. Each leaves its result in the MLflow run."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pandas as pd

from ml_modeling.evaluation import plots
from ml_modeling.evaluation.evaluate import compare, evaluate
from ml_modeling.evaluation.explanation import explain
from ml_modeling.evaluation.model_card import GROUPS_PICTURE, Origin, model_card
from ml_modeling.evaluation.report import Estimate, EvaluationReport
from ml_modeling.evaluation.wording import described_label
from ml_modeling.frames.examples import ENTITY, KEY, LABEL, Examples, in_order, to_examples
from ml_modeling.frames.splits import Part
from ml_modeling.gates import ChampionComparison, GateReport, judge
from ml_modeling.registry import CHAMPION, MlflowRequestError, Registered, alias_version, registered, tags, way_out
from ml_modeling.registry.served import Serving, UnreadableModelError, download_model, stored_digest
from ml_modeling.tasks import Rule, Scoring, TaskKind
from ml_modeling.tracking import runs
from ml_modeling.tracking.runs import TrainingRun, UnusableRunError, existing_run, new_run
from ml_modeling.training.train import TrainedModel, fit
from ml_modeling.training.tuning import Progress, cost_of_limits
from ml_modeling.use_case import UseCase
from tidemill.config import strict_json
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from ml_modeling.frames.frame import SplitFrame  # Spark and Feast, which evaluating and gating do without

REFERENCE_ROWS = 5_000
BASELINE = "baseline."
ROWS = "rows."
"""Before the name of a table: how many rows it had when the frame was read."""

log = logging.getLogger(__name__)


def train(
    settings: Settings,
    use_case: UseCase,
    read: "Callable[[], SplitFrame]",
    progress: Progress,
    marks: Mapping[str, str] = runs.NO_MARKS,
) -> tuple[TrainingRun, TrainedModel]:
    """Reads the frame, fits the best candidate and logs it; a failure is kept as the run's error.

    ``marks`` are tags that the run has from its first moment.
    """
    with new_run(settings, use_case, marks) as run:
        data = read()
        run.log_params(_lineage(use_case, data))
        model = fit(use_case, data.frame, data.split, progress)
        _log_training(run, use_case, data, model)
    return run, model


def _log_training(run: TrainingRun, use_case: UseCase, data: "SplitFrame", model: TrainedModel) -> None:
    chosen = model.chosen
    parameters = {f"model.{name}": value for name, value in chosen.parameters.items()}
    run.log_params(
        {
            "candidate": chosen.candidate,
            **parameters,
            **use_case.task.stored(model.serving),
            **{f"{BASELINE}{name}": value for name, value in model.baseline_rule.items()},
            **cost_of_limits(use_case.spec, model.trials),
        }
    )
    run.log_metrics({f"validation.{name}": value for name, value in model.validation.items()})
    run.log_metrics({"rows.fitted": len(model.fitted), "rows.test": len(model.test), "trials": len(model.trials)})
    run.log_text(strict_json.dumps([asdict(trial) for trial in model.trials], indent=1), runs.TRIALS)
    run.log_text(_environment(), "environment/packages.txt")
    frame = data.frame
    test = in_order(frame.rows_of(data.split, Part.TEST)).drop(columns=KEY, errors="ignore")
    run.log_rows(test.assign(**{ENTITY: pd.factorize(test[ENTITY], sort=True)[0]}), runs.TEST_EXAMPLES)
    fitted = frame.rows_of(data.split, Part.FIT)
    reference = fitted.sample(n=min(len(fitted), REFERENCE_ROWS), random_state=0)
    run.log_rows(reference[[*frame.features, LABEL]], runs.REFERENCE_EXAMPLES)
    uri = run.log_model(model.pipeline, model.serving, model.fitted.x)
    run.set_tags({tags.MODEL_URI: uri, tags.DIGEST: stored_digest(run.settings, uri)})


def _lineage(use_case: UseCase, data: "SplitFrame") -> dict[str, str]:
    """Where the data came from and what was asked of it, as run parameters."""
    return {
        "use_case": use_case.name,
        "definition.sha256": use_case.digest,
        "tidemill.version": metadata.version("tidemill"),
        "feature_service": use_case.service.name,
        "feature_fingerprint": use_case.service.fingerprint,
        "features": ",".join(use_case.features),
        **described_label(use_case.question),
        "events": f"{data.events.first}..{data.events.end}",
        "events.left_out": data.events.left_out or "none",
        **{f"table.{name}": f"version {version}" for name, version in data.table_versions.items()},
        **{f"{ROWS}{name}": str(count) for name, count in data.table_rows.items()},
        **data.split.described(),
        "window_days": str(use_case.window.days) if use_case.window else "all",
        "frame.sha256": _digest(data.frame.rows),
    }


def _digest(rows: pd.DataFrame) -> str:
    """Equal for frames with the same rows, in whatever order Spark delivered them."""
    return hashlib.sha256(pd.util.hash_pandas_object(in_order(rows), index=False).to_numpy().tobytes()).hexdigest()


def _environment() -> str:
    return "\n".join(sorted(f"{dist.name}=={dist.version}" for dist in metadata.distributions())) + "\n"


def evaluate_run(settings: Settings, use_case: UseCase, run_id: str) -> EvaluationReport:
    """Tests the run's model on the test part and logs the report, the plots and the model card.

    Run again for the same run it writes the same: the draws are seeded.
    """
    run, task = existing_run(settings, use_case.name, run_id), use_case.task
    spec, pipeline = run.read_model()
    test = _test_examples(run, spec, task)
    params = run.read().data.params
    with run.reading_back("its model"):
        scoring = _scoring(task, spec, pipeline, test)
    with run.reading_back("its parameters"):
        origin = _origin(run_id, params)
        baseline = task.baseline(test.x, spec.features, _baseline_rule(params))
    report = evaluate(task, test, scoring, baseline, use_case.spec.bootstrap)
    run.log_metrics(_flat(report))
    run.log_text(report.model_dump_json(indent=1), runs.EVALUATION)
    for name, figure in task.figures(test, scoring, baseline, report):
        run.log_figure(figure, f"evaluation/{name}.png")
    if report.fairness is not None:
        run.log_figure(plots.groups(report.fairness), GROUPS_PICTURE)
    with run.reading_back(runs.REFERENCE_EXAMPLES):
        background = run.read_rows(runs.REFERENCE_EXAMPLES)[list(spec.features)].to_numpy(dtype="float64")
    explanation = explain(pipeline, test.x, background, spec.features)
    run.log_figure(plots.shap_summary(explanation), "evaluation/shap_summary.png")
    run.log_text(strict_json.dumps(explanation.importance, indent=1), "evaluation/shap_importance.json")
    card = model_card(use_case, origin, report, explanation.importance)
    run.log_text(card, runs.MODEL_CARD)
    run.set_tags({tags.NOTE: card[: tags.MAX_DESCRIPTION], tags.EVALUATED: str(True)})
    return report


def _baseline_rule(params: dict[str, str]) -> Rule:
    return {name.removeprefix(BASELINE): float(value) for name, value in params.items() if name.startswith(BASELINE)}


def _origin(run_id: str, params: dict[str, str]) -> Origin:
    model = {name: value for name, value in params.items() if name.startswith("model.")}
    lineage = {name: value for name, value in params.items() if name not in model and name != "candidate"}
    return Origin(run_id, params["candidate"], model, lineage)


def _flat(report: EvaluationReport) -> dict[str, float]:
    groups = {"test": report.metrics, "baseline": report.baseline, "gain": report.gain}
    flat = {f"{group}.{name}": value.value for group, values in groups.items() for name, value in values.items()}
    for found in report.fairness.disparities if report.fairness else ():
        if found.difference is not None:
            flat[f"disparity.{found.column}.{found.metric}"] = found.difference.value
    for group in ("test", "gain"):
        for name, value in groups[group].items():
            flat |= {f"{group}.{name}.low": value.low, f"{group}.{name}.high": value.high}
    return flat


def evaluation_of(settings: Settings, use_case: str, run_id: str) -> EvaluationReport:
    """The report that ``tidemill models evaluate`` left in a run."""
    return _evaluation(existing_run(settings, use_case, run_id))


def _evaluation(run: TrainingRun) -> EvaluationReport:
    with run.reading_back(runs.EVALUATION):
        return EvaluationReport.model_validate(run.read_json(runs.EVALUATION))


def gate_run(settings: Settings, use_case: UseCase, run_id: str) -> GateReport:
    """Judges an evaluated run against the gates and today's champion; the verdict is kept in the run.

    Raises:
        UnusableRunError: the run was not evaluated.
    """
    run = existing_run(settings, use_case.name, run_id)
    if not any(name.startswith("test.") for name in run.read().data.metrics):
        raise UnusableRunError(f"run {run_id} was not evaluated: run `tidemill models evaluate {use_case.name}` first")
    champion = _champion_comparison(settings, use_case, run)
    verdict = judge(_evaluation(run), use_case.spec.gates, champion, use_case.spec.fairness)
    run.log_text(verdict.model_dump_json(indent=1), runs.GATE_REPORT)
    run.set_tags(_told(verdict))
    return verdict


def _told(verdict: GateReport) -> dict[str, str]:
    """The tags of a verdict, in an order that says passed of nothing less than all of it.

    A run that is judged again has the tags of before, and a store that keeps one tag after the other may be killed
    between two: a no is said first, a yes last.
    """
    against = {
        tags.GATE_REASONS: "; ".join(verdict.reasons)[: tags.MAX_DESCRIPTION],
        tags.GATE_CHAMPION: verdict.champion or "",
        tags.GATE_CHAMPION_MODEL: verdict.champion_model.key if verdict.champion_model else "",
    }
    if verdict.passed:
        return {**against, tags.GATE: tags.PASSED}
    return {tags.GATE: tags.FAILED, **against}


def _champion_comparison(settings: Settings, use_case: UseCase, run: TrainingRun) -> ChampionComparison | None:
    champion = alias_version(settings, use_case.name, CHAMPION)
    if champion is None:
        return None
    old = registered(champion)
    if old.identity == run.model():
        return _compared(old, Estimate(value=0.0, low=0.0, high=0.0))
    try:
        old_spec, old_pipeline = download_model(settings, str(champion.source), str(old), old.identity.digest)
    except (MlflowRequestError, UnreadableModelError) as error:
        return _compared(old, None, f"{old.named(error)}. {way_out(use_case.name)}")
    spec, pipeline = run.read_model()
    missing = [name for name in old_spec.features if name not in spec.features]
    if missing:
        problem = f"it needs {', '.join(missing)}, which the new frame lacks: keep the feature until it is replaced"
        return _compared(old, None, problem)
    task = use_case.task
    examples = _test_examples(run, spec, task)
    new_scoring = _scoring(task, spec, pipeline, examples)
    known_to_old = _test_examples(run, old_spec, task)
    try:
        old_scoring = _scoring_of_champion(task, old_spec, old_pipeline, known_to_old)
    except UnreadableModelError as error:
        return _compared(old, None, f"{old.named(error)}. {way_out(use_case.name)}")
    metric = use_case.spec.gates.champion.metric
    return _compared(old, compare(task, examples, new_scoring, old_scoring, metric, use_case.spec.bootstrap))


def _compared(champion: Registered, difference: Estimate | None, problem: str = "") -> ChampionComparison:
    return ChampionComparison(version=champion.version, model=champion.identity, difference=difference, problem=problem)


def _test_examples(run: TrainingRun, spec: Serving, task: TaskKind) -> Examples:
    """The run's test part with the columns a model takes."""
    with run.reading_back(runs.TEST_EXAMPLES):
        return to_examples(run.read_rows(runs.TEST_EXAMPLES), spec.features, task.name)


def _scoring_of_champion(task: TaskKind, spec: Serving, pipeline: Any, examples: Examples) -> Scoring:
    try:
        return _scoring(task, spec, pipeline, examples)
    except Exception as error:  # a model that was made elsewhere may raise anything
        raise UnreadableModelError(f"it cannot score the test part: {type(error).__name__}: {error}") from error


def _scoring(task: TaskKind, spec: Serving, pipeline: Any, examples: Examples) -> Scoring:
    return task.scoring(task.predict(pipeline, examples.x), task.rule_of(spec))
