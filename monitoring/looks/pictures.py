"""A column of two profiles in one picture: no row is needed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from monitoring.profiles import CategoricalProfile, NumericProfile
from monitoring.profiles.moments import Floats
from monitoring.profiles.table import ColumnProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30
MOST_CATEGORIES = 15
LONGEST = 20
"""Characters of a category's label."""
ENDS = (0.005, 0.995)


def picture(name: str, reference: ColumnProfile, current: ColumnProfile) -> "Figure":
    """The shares of values, of the reference in grey and of the current rows in colour."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3))
    # A layout that is worked out takes most of the time of a page.
    bottom = 0.12 if isinstance(reference, NumericProfile) else 0.35
    axes = figure.subplots(gridspec_kw={"left": 0.13, "right": 0.98, "top": 0.9, "bottom": bottom})
    match reference, current:
        case NumericProfile(), NumericProfile():
            _numbers(axes, reference, current)
        case CategoricalProfile(), CategoricalProfile():
            _categories(axes, reference, current)
    axes.set(title=name, ylabel="share of rows")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper right")
    return figure


def bins(reference: NumericProfile, current: NumericProfile) -> Floats:
    """The edges of bins of equal width over all but the ends of both sides; none when neither has a value."""
    ends = [profile.quantiles.quantile(ENDS) for profile in (reference, current) if profile.count]
    if not ends:
        return np.zeros(0)
    low, high = float(np.min(ends)), float(np.max(ends))
    reach = (high - low) / 2 or max(abs(low), 1.0) / 2
    middle = (low + high) / 2
    return np.linspace(middle - reach, middle + reach, BINS + 1)


def shares(profile: NumericProfile, edges: Floats) -> Floats:
    """The share of all rows whose value lies within each bin, its upper edge included."""
    within = np.diff(profile.quantiles.rank(edges))
    # The lowest edge is a value that may itself occur.
    within[0] += profile.quantiles.rank(edges[:1])[0] - profile.quantiles.rank(np.nextafter(edges[:1], -np.inf))[0]
    return np.asarray(within * (profile.count / profile.rows if profile.rows else 0.0))


def most_frequent(reference: CategoricalProfile, current: CategoricalProfile) -> Mapping[str, tuple[float, float]]:
    """The share that categories have of the rows of each side, those with the largest first."""
    names = {*reference.counts, *current.counts}
    both = {name: (_share(reference, name), _share(current, name)) for name in names}
    ordered = sorted(both.items(), key=lambda item: (-max(item[1]), item[0]))
    return dict(ordered[:MOST_CATEGORIES])


def _share(profile: CategoricalProfile, name: str) -> float:
    return profile.counts.get(name, 0) / profile.rows if profile.rows else 0.0


def _numbers(axes: "Axes", reference: NumericProfile, current: NumericProfile) -> None:
    edges = bins(reference, current)
    if not len(edges):
        axes.text(0.5, 0.5, "no value on either side", ha="center", transform=axes.transAxes)
        return
    for label, profile, colour in (("reference", reference, "grey"), ("now", current, "tab:red")):
        if profile.count:
            axes.stairs(shares(profile, edges), edges, label=label, color=colour, fill=colour == "grey", alpha=0.6)


def _categories(axes: "Axes", reference: CategoricalProfile, current: CategoricalProfile) -> None:
    both = most_frequent(reference, current)
    places = np.arange(len(both))
    for offset, label, colour, side in ((-0.2, "reference", "grey", 0), (0.2, "now", "tab:red", 1)):
        axes.bar(places + offset, [shares[side] for shares in both.values()], 0.4, label=label, color=colour)
    labels = [name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..." for name in both]
    axes.set_xticks(places, labels, rotation=60, ha="right", fontsize="small")
