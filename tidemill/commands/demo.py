"""``tidemill demo``."""

from pathlib import Path

import click

from tidemill.config import load_settings


@click.command(name="demo")
@click.option("--size", type=click.Choice(["small", "medium", "large"]), default="small", show_default=True)
@click.option("--source", type=click.Choice(["simulator", "online-retail"]), default="simulator", show_default=True)
@click.option("--file", type=click.Path(path_type=Path), help="The Online Retail csv, csv.gz or xlsx.")
@click.option("--down", "stop_after", is_flag=True, help="Stop the stack at the end, however it ends.")
def command(size: str, source: str, file: Path | None, stop_after: bool) -> None:
    """Run the whole loop: events, lake, gold, features, model, predictions; print what happened."""
    from tidemill.demo.ending import stack_ends
    from tidemill.demo.plan import make_plan
    from tidemill.demo.report import print_report
    from tidemill.demo.runner import run_steps
    from tidemill.demo.steps import demo_steps
    from tidemill.demo.summary import check_truth, summarize, write_summary

    plan = make_plan(load_settings(), source, file, size)
    with stack_ends(plan.settings, stop_after):
        facts = run_steps(demo_steps(plan), plan.logs)
        summary = summarize(plan, facts)
        path = write_summary(plan.settings, summary)
        print_report(summary)
        click.echo(f"\nthe same as JSON: {path}", err=True)
        check_truth(summary)
