"""``tidemill demo-loop``."""

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command(name="demo-loop")
@click.option("--path", type=click.Path(path_type=Path), default=Path(".tidemill-loop"), show_default=True)
@click.option("--down", "stop_after", is_flag=True, help="Stop the stack at the end.")
def command(path: Path, stop_after: bool) -> None:
    """Let behaviour change under a served model, and watch the loop close; then a bad model is taken back.

    PATH becomes a project with a question of its own and short times: what takes hours elsewhere takes minutes here.
    """
    from tidemill.demo.loop.project import enter, make

    enter(make(path))
    _run()
    if stop_after:
        from tidemill.config import load_settings
        from tidemill.stack.down import down

        down(load_settings())


def _run() -> None:
    from monitoring.control import control_store
    from tidemill.config import load_settings
    from tidemill.demo.loop.asking import Asker
    from tidemill.demo.loop.plan import make_plan
    from tidemill.demo.loop.project import USE_CASE
    from tidemill.demo.loop.steps import Loop
    from tidemill.demo.loop.timeline import Timeline
    from tidemill.demo.loop.watch import Watch
    from tidemill.demo.runner import run_steps

    settings = load_settings()
    plan = make_plan(settings, datetime.now(UTC).date())
    asker = Asker(settings.serving.url, USE_CASE)
    with control_store(settings) as store:
        watch = Watch(settings, store, USE_CASE, datetime.now(UTC))
        loop = Loop(plan, Timeline(watch.news, click.echo), asker)
        try:
            run_steps(loop.steps(), plan.logs)
        finally:
            loop.payments.stop()
            asker.close()
