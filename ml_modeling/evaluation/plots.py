"""The pictures of an evaluation, as matplotlib figures."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from ml_modeling.evaluation.explanation import Explanation
from ml_modeling.evaluation.report import EvaluationReport
from ml_modeling.examples import Floats, Integers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(y: Integers, scores: Floats, baseline: Floats, report: EvaluationReport) -> "Figure":
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


def calibration(report: EvaluationReport) -> "Figure":
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
