"""``tidemill demo-loop``."""

from datetime import UTC, datetime
from pathlib import Path

import click

from tidemill.config import Settings


@click.command(name="demo-loop")
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    default=Path(".tidemill-loop"),
    show_default=True,
    help="Folder that becomes the loop's project; not one that has a loop.",
)
@click.option("--down", "stop_after", is_flag=True, help="Stop the stack at the end, however it ends.")
def command(path: Path, stop_after: bool) -> None:
    """Let behaviour change under a served model, and watch the loop close; then a bad model is taken back.

    The exit status is 0 only if all of it happened.
    """
    from tidemill.config import load_settings
    from tidemill.demo.ending import stack_ends
    from tidemill.demo.loop.project import enter, make

    enter(make(path))
    settings = load_settings()
    with stack_ends(settings, stop_after):
        _run(settings)


def _run(settings: Settings) -> None:
    from monitoring.control import control_store
    from tidemill.demo.loop.asking import Asker
    from tidemill.demo.loop.plan import make_plan
    from tidemill.demo.loop.project import USE_CASE
    from tidemill.demo.loop.report import check, print_report
    from tidemill.demo.loop.steps import Loop
    from tidemill.demo.loop.timeline import Timeline
    from tidemill.demo.loop.watch import Watch
    from tidemill.demo.runner import run_steps

    plan = make_plan(settings, datetime.now(UTC).date())
    with control_store(settings) as store, Asker(settings.serving.url, USE_CASE) as asker:
        timeline = Timeline(Watch(settings, store, USE_CASE).news)
        loop = Loop(plan, store, timeline, asker)
        try:
            facts = run_steps(loop.steps(), plan.logs)
        finally:
            loop.payments.stop()
        print_report(timeline.moments, asker.asked(), facts["trail"]["history"])
        check(timeline.moments, asker.asked())
