"""Great Expectations' data docs of what stands, as pages that ask no other host.

Its own pages bring their styles and scripts from seven hosts, its list of pages is a script, and the logo is fetched
with the time in its address. Of the pages the text and the tables stay; the list is made here.
"""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from batch_processing.quality.judging import Numbers, Outcome, context, validated
from batch_processing.quality.observing import FURTHEST, in_words
from batch_processing.quality.results import Result
from data_lake.expectations import Suite

ELSEWHERE = re.compile(
    r"""<link\b[^>]*\bhref=["']?(?:https?:)?//[^>]*>
      | <script\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>\s*</script>
      | <img\b[^>]*\bsrc=["']?(?:https?:)?//[^>]*>
      | <script\b[^>]*>.*?</script>
      | (?<=background:\s)url\(['"]?(?:https?:)?//[^)]*\)[^;]*;""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""What a browser would fetch from another host, and the scripts, which do nothing without what they fetch."""
STYLE = """<style>
body{font-family:sans-serif;margin:2em;max-width:75em;color:#222}table{border-collapse:collapse;margin:.6em 0}
td,th{padding:.3em .8em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
ul{margin:.2em 0}.failed,.text-danger{color:#b00020;font-weight:bold}
.alert{background:#f2f2f2;padding:.6em;margin:.6em 0}
.fa-times::before{content:"\\2717"}.fa-check-circle::before{content:"\\2713"}.fa-exclamation-triangle::before{content:"!"}
.text-success{color:#0a7d32}.modal,.navbar,.popover,.cooltip .top,.collapse,button{display:none}.sticky{position:static}
</style>"""


def write_docs(folder: Path, suites: Sequence[Suite], results: Sequence[Result]) -> Path:
    """A page a suite by what stands of it, and ``index.html``, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        old.unlink()
    for suite in suites:
        own = [result for result in results if result.suite == suite.name]
        (folder / f"{suite.name}.html").write_text(page(suite, own), encoding="utf-8")
    index = folder / "index.html"
    index.write_text("\n".join(_index(suites, results)), encoding="utf-8")
    return index


def page(suite: Suite, results: Sequence[Result]) -> str:
    """Great Expectations' own page of a validation, without what it would fetch."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    validation = validated(context(), suite, numbers_of(results))
    validation.meta["run_id"] = _run_id(results)
    text = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(validation))
    return alone(text).replace(str(FURTHEST), in_words(FURTHEST))


def alone(text: str) -> str:
    """A page that needs no other file."""
    return ELSEWHERE.sub("", text).replace("</head>", f"{STYLE}</head>", 1)


def numbers_of(results: Sequence[Result]) -> Numbers:
    numbers: dict[date, dict[str, float | None]] = {}
    for result in results:
        numbers.setdefault(result.event_date, {})[result.expectation] = result.observed
    return numbers


def _run_id(results: Sequence[Result]) -> dict[str, str]:
    newest = max((result.judged_at for result in results), default=None)
    version = max((result.source_version for result in results), default=0)
    return {"run_name": f"version {version}", "run_time": newest.isoformat() if newest else "never judged"}


def _index(suites: Sequence[Suite], results: Sequence[Result]) -> Iterator[str]:
    yield "<!doctype html><html><head><meta charset='utf-8'><title>Data quality</title>"
    yield f"{STYLE}</head><body><h1>Data quality</h1>"
    yield "<table><tr><th>table</th><th>suite</th><th>about</th><th>dates</th><th>critical</th><th>warnings</th></tr>"
    for suite in suites:
        yield _line(suite, [result for result in results if result.suite == suite.name])
    yield "</table></body></html>"


def _line(suite: Suite, results: Sequence[Result]) -> str:
    failed = [result for result in results if result.outcome == Outcome.FAILED]
    critical = sum(result.stops for result in failed)
    cells = (
        html.escape(suite.table),
        f"<a href='{suite.name}.html'>{suite.name}</a>",
        html.escape(suite.description),
        f"{len({result.event_date for result in results}):,}",
        f"<span class='{'failed' if critical else ''}'>{critical:,}</span>",
        f"{len(failed) - critical:,}",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
