"""What a model and the champion came to on the same days, by the gate that compared them."""

from ml_modeling.gates import GateReport
from ml_modeling.lifecycle import evaluation_of
from ml_modeling.tracking import runs
from ml_modeling.tracking.runs import existing_run
from tidemill.config.settings import Settings


def compared(settings: Settings, use_case: str, run_id: str) -> str:
    """Both models' figures in a sentence; without a champion, those of the one."""
    run = existing_run(settings, use_case, run_id)
    with run.reading_back(runs.GATE_REPORT):
        verdict = GateReport.model_validate(run.read_json(runs.GATE_REPORT))
    report, between = evaluation_of(settings, use_case, run_id), verdict.comparison
    if between is None:
        return "there is no champion to compare with"
    own = report.metrics[between.metric]
    champions = own.value - between.difference.value
    days = run.read().data.params.get("period.test", "its test part")
    return (
        f"{between.metric} on {days}: champion {verdict.champion} {champions:.3f}, new model {own} "
        f"(difference {between.difference})"
    )
