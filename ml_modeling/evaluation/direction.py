"""Which way is better, of each metric of any task."""

LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse", "mape", "interval_width"})


def improvement(metric: str, difference: float) -> float:
    """``difference`` in the metric as an improvement: above zero is better."""
    return -difference if metric in LOWER_IS_BETTER else difference
