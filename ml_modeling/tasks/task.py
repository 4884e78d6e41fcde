"""What training, evaluation and the gates have to know of a task, whichever it is."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from feature_store.definitions import Task
from ml_modeling.evaluation.report import EvaluationReport
from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.registry.served import Serving
from ml_modeling.specification import ModelSpec
from ml_modeling.tasks.scoring import Rule, Scoring
from tidemill.config.errors import TerminalError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Common = Mapping[str, Any]


class OneLabelError(TerminalError):
    """A part of the split from which nothing can be learned, or on which nothing can be measured."""


class TaskKind(Protocol):
    """One task with its part of ``model.yaml``. Metrics are by name; ``compared`` are those that a gain is told of."""

    @property
    def name(self) -> Task: ...

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def compared(self) -> tuple[str, ...]: ...

    @property
    def of_baseline(self) -> tuple[str, ...]:
        """The metrics that mean something for the baseline."""

    def check_part(self, part: str, examples: Examples) -> None:
        """Raises OneLabelError when a part cannot be learned from or measured on."""

    def check_leakage(self, examples: Examples, features: tuple[str, ...]) -> None:
        """Raises LeakageError when one feature alone gives the answer away."""

    def predict(self, pipeline: Any, x: Floats) -> Floats:
        """The scores of a fitted pipeline."""

    def rank(self, metric: str, examples: Examples, scores: Floats) -> float:
        """The metric by which trials of the search are compared; more is better, also of an error."""

    def weights(self, examples: Examples) -> Floats | None:
        """How much each example counts when a candidate is fitted; None when they count alike."""

    def rule(self, validation: Examples, scores: Floats) -> Rule:
        """What the validation part says of how to read scores."""

    def scoring(self, scores: Floats, rule: Rule) -> Scoring: ...

    def baseline_rule(self, validation: Examples, fitted: Examples, features: tuple[str, ...]) -> Rule: ...

    def baseline(self, x: Floats, features: tuple[str, ...], rule: Rule) -> Scoring: ...

    def describe_baseline(self) -> str: ...

    def measure(self, examples: Examples, scoring: Scoring) -> dict[str, float]: ...

    def weighted(self, weights: Floats, examples: Examples, scoring: Scoring) -> dict[str, Floats]:
        """Each metric in each replicate: ``weights`` has shape (replicates, n)."""

    def report(self, common: Common, test: Examples, scoring: Scoring) -> EvaluationReport:
        """The common parts of a report and what only this task tells."""

    def serving(self, common: Common, rule: Rule, fitted: Examples) -> Serving:
        """What is stored with the model."""

    def rule_of(self, serving: Serving) -> Rule:
        """The rule that was stored with a model."""

    def stored(self, serving: Serving) -> Mapping[str, Any]:
        """What a run tells of it, as parameters."""

    def figures(
        self, test: Examples, scoring: Scoring, baseline: Scoring, report: EvaluationReport
    ) -> Iterator[tuple[str, "Figure"]]:
        """Pictures and their file names."""

    def answers(self, report: EvaluationReport) -> str:
        """What the score means, in a sentence for the model card."""

    def limits(self) -> str:
        """What has to be known of answers beyond the test, in sentences for the model card."""
