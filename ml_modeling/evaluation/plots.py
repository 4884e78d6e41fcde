"""The pictures of an evaluation, as matplotlib figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from ml_modeling.evaluation.explanation import Explanation
from ml_modeling.evaluation.metrics import calibration as calibration_bins
from ml_modeling.evaluation.report import BinaryReport, EvaluationReport, MulticlassReport
from ml_modeling.fairness.report import FairnessReport, Group
from ml_modeling.frames.examples import Floats, Integers
from ml_modeling.tasks.scoring import Scoring

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def curves(y: Integers, scores: Floats, baseline: Floats, report: BinaryReport) -> "Figure":
    """ROC and precision-recall curves of the model and the baseline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    roc, recall = figure.subplots(1, 2)
    named = (("model", scores, report.metrics), ("baseline", baseline, report.baseline))
    for name, values, metrics in named:
        false_positives, true_positives, _ = roc_curve(y, values)
        roc.plot(false_positives, true_positives, label=f"{name}: AUC {metrics['roc_auc']}")
        precision, recalled, _ = precision_recall_curve(y, values)
        recall.plot(recalled, precision, label=f"{name}: average precision {metrics['average_precision']}")
    roc.plot([0, 1], [0, 1], color="grey", linestyle=":")
    recall.axhline(report.base_rate, color="grey", linestyle=":")
    roc.set(title="ROC on the test part", xlabel="false positive rate", ylabel="true positive rate")
    recall.set(title="Precision and recall on the test part", xlabel="recall", ylabel="precision", ylim=(0, 1.02))
    for axes in (roc, recall):
        axes.legend(loc="lower right", fontsize="small")
    return figure


def calibration(report: BinaryReport) -> "Figure":
    """The share of positives in bins of equal count, against their mean score."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    scores = [part.mean_score for part in report.calibration]
    axes.plot(scores, [part.positive_share for part in report.calibration], marker="o", label="model")
    axes.set(title=f"Calibration (Brier {report.metrics['brier']})", xlabel="mean score", ylabel="share of positives")
    axes.legend(loc="upper left")
    return figure


def shap_summary(explanation: Explanation) -> "Figure":
    """One dot a row and feature: how far it moved the output, coloured by the feature's value."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import shap

    figure: Figure = plt.figure(figsize=(8, 6))
    random = np.random.default_rng(0)  # spreads the dots
    names = list(explanation.features)
    shap.summary_plot(explanation.values, explanation.x, feature_names=names, show=False, rng=random)
    plt.tight_layout()
    plt.close(figure)
    return figure


def confusion(report: MulticlassReport) -> "Figure":
    """How many examples of each class were decided to be of which."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    shares = [[count / max(sum(row), 1) for count in row] for row in report.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, row in enumerate(report.confusion):
        for chosen, count in enumerate(row):
            colour = "white" if shares[true][chosen] > 0.5 else "black"
            axes.text(chosen, true, f"{count}", ha="center", va="center", color=colour)
    places = range(len(report.classes))
    axes.set(title=f"Confusion (macro F1 {report.metrics['macro_f1']})", xlabel="decided", ylabel="true")
    axes.set(xticks=places, yticks=places, xticklabels=report.classes, yticklabels=report.classes)
    return figure


def class_calibration(y: Integers, scores: Floats, classes: tuple[str, ...]) -> "Figure":
    """For each class its share in bins of equal count, against their mean score."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
    for number, name in enumerate(classes):
        bins = calibration_bins((y == number).astype(np.int64), scores[:, number])
        axes.plot([part.mean_score for part in bins], [part.positive_share for part in bins], marker="o", label=name)
    axes.set(title="Calibration by class", xlabel="mean score", ylabel="share of the class")
    axes.legend(loc="upper left", fontsize="small")
    return figure


def values(y: Floats, predicted: Floats, baseline: Floats, report: EvaluationReport) -> "Figure":
    """The true values against the predicted ones, of the model and of the baseline."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    named = (("model", predicted, report.metrics), ("baseline", baseline, report.baseline))
    for axes, (name, answered, metrics) in zip(figure.subplots(1, 2, sharey=True), named, strict=True):
        axes.scatter(answered, y, s=6, alpha=0.3)
        axes.axline((0, 0), slope=1, color="grey", linestyle=":")
        axes.set(title=f"{name}: MAE {metrics['mae']}", xlabel="predicted", ylabel="true")
    return figure


def errors(y: Floats, scoring: Scoring) -> "Figure":
    """What is true minus what was predicted, and where the intervals end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axes = figure.subplots()
    axes.scatter(scoring.scores, y - scoring.scores, s=6, alpha=0.3)
    axes.axhline(0, color="grey", linestyle=":")
    if scoring.low is not None and scoring.high is not None:
        order = np.argsort(scoring.scores)
        for ends in (scoring.low, scoring.high):
            axes.plot(scoring.scores[order], (ends - scoring.scores)[order], color="tab:orange")
    axes.set(title="Errors on the test part", xlabel="predicted", ylabel="true minus predicted")
    return figure


def groups(report: FairnessReport) -> "Figure":
    """Each metric of each group with its interval, a row of pictures a column; grey is too small to be judged."""
    from matplotlib.figure import Figure

    columns = list(dict.fromkeys(group.column for group in report.groups))
    metrics = list(dict.fromkeys(found.metric for found in report.disparities))
    figure = Figure(figsize=(4.5 * len(metrics), 3 * len(columns)), layout="constrained")
    places = figure.subplots(len(columns), len(metrics), squeeze=False, sharex="col")
    for axes_of_column, column in zip(places, columns, strict=True):
        members = [group for group in report.groups if group.column == column]
        for axes, metric in zip(axes_of_column, metrics, strict=True):
            _by_group(axes, members, metric, report.min_examples)
            axes.set(title=f"{metric} by {column}", yticks=range(len(members)))
            axes.set_yticklabels([group.group for group in members])
    return figure


def _by_group(axes: "Axes", members: Sequence[Group], metric: str, min_examples: int) -> None:
    for place, group in enumerate(members):
        found = group.metrics.get(metric)
        if found is None:
            continue
        colour = "tab:blue" if group.counted[metric] >= min_examples else "lightgrey"
        axes.plot([found.low, found.high], [place, place], color=colour)
        axes.plot(found.value, place, marker="o", color=colour)
