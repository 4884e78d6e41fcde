"""A look as one page, kept in the model's run: each drifted feature first, its reference against what came."""

import base64
import html
import io
import itertools
from collections.abc import Iterator, Sequence

from ml_modeling.evaluation.estimate import Estimate
from monitoring.drift import Outcome, Verdict
from monitoring.estimates import LabelFree
from monitoring.looks.pictures import picture
from monitoring.looks.results import Verdicts, leading_statistic
from monitoring.looks.subject import Champion
from monitoring.profiles import TableProfile

PAGES = "drift/looks"
MOST_PICTURES = 60
STYLE = "body{font-family:sans-serif;max-width:60em}td,th{padding:.2em .8em;text-align:left}.drifted{font-weight:bold}"


def page_path(look_id: str) -> str:
    return f"{PAGES}/{look_id}.html"


def keep_page(
    champion: Champion, reference: TableProfile, current: TableProfile, look: Verdicts, estimates: LabelFree
) -> None:
    """Keeps the page of a look in the run, unless it is there."""
    path = page_path(look.look_id)
    if not champion.run.has(path):
        champion.run.log_text(page(str(champion.subject), reference, current, look, estimates), path)


def page(model: str, reference: TableProfile, current: TableProfile, look: Verdicts, estimates: LabelFree) -> str:
    """The page, as HTML that needs no other file."""
    window = f"{look.window.begin:%F %T} to {look.window.end:%F %T} UTC"
    parts = [
        f"<!doctype html><html><head><meta charset='utf-8'><title>Drift of {html.escape(model)}</title>",
        f"<style>{STYLE}</style></head><body><h1>Drift of {html.escape(model)}</h1>",
        f"<p>Answers from {window}: {look.counts.judged:,} judged of {look.counts.answers:,}. {_summary(look)}</p>",
        "<table><tr><th>feature</th><th>aspect</th><th>verdict</th><th>statistic</th><th>effect</th><th>limit</th>"
        "<th>adjusted p</th><th>since</th><th>importance</th></tr>",
        *(_row(verdict) for verdict in ordered(look.verdicts)),
        "</table>",
        *_estimates(estimates),
        *_pictures(reference, current, look.verdicts),
        "</body></html>",
    ]
    return "\n".join(parts)


def ordered(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Drifted ones first, the largest effect first; then by importance."""
    return sorted(
        verdicts,
        key=lambda verdict: (
            verdict.outcome is not Outcome.DRIFTED,
            -verdict.finding.shift if verdict.outcome is Outcome.DRIFTED else 0.0,
            -(verdict.importance or 0.0),
        ),
    )


def _summary(look: Verdicts) -> str:
    drifted = len(look.drifted)
    return f"{drifted} of {len(look.verdicts)} findings are drift." if drifted else "Nothing has drifted."


def cells(verdict: Verdict) -> tuple[str, ...]:
    """A verdict for people, by column."""
    finding, leading = verdict.finding, leading_statistic(verdict.finding)
    return (
        finding.feature or "(the table)",
        str(finding.aspect),
        finding.unknown or str(verdict.outcome),
        leading.name if leading else "",
        f"{leading.value:.4g}" if leading else "",
        f"{leading.limit:.4g}" if leading else "",
        "" if verdict.adjusted_p_value is None else f"{verdict.adjusted_p_value:.2g}",
        "" if verdict.since is None else f"{verdict.since:%F %T}",
        "" if verdict.importance is None else f"{verdict.importance:.1%}",
    )


def _row(verdict: Verdict) -> str:
    text = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(verdict))
    return f"<tr class='{verdict.outcome}'>{text}</tr>"


def _estimates(estimates: LabelFree) -> Iterator[str]:
    if not estimates:
        return
    yield "<h2>Expected before labels come</h2><ul>"
    for name, estimate in estimates.items():
        said = str(estimate) if isinstance(estimate, Estimate) else f"cannot be known: {estimate.reason}"
        yield f"<li>{html.escape(name)}: {html.escape(said)}</li>"
    yield "</ul>"


def _pictures(reference: TableProfile, current: TableProfile, verdicts: Sequence[Verdict]) -> Iterator[str]:
    names = dict.fromkeys(verdict.finding.feature for verdict in ordered(verdicts) if verdict.finding.feature)
    for name in itertools.islice(names, MOST_PICTURES):
        content = io.BytesIO()
        picture(name, reference.columns[name], current.columns[name]).savefig(content, format="png", dpi=80)
        encoded = base64.b64encode(content.getvalue()).decode()
        yield f"<img alt='{html.escape(name, quote=True)}' src='data:image/png;base64,{encoded}'>"
