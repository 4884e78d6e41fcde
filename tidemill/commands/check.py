"""``tidemill check``."""

import json
import sys
from dataclasses import asdict

import click


@click.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Validate contracts, their evolution, sources, features, labels, models, gold tables and suites, without a server.

    Every problem is printed, with its file and its line or key. The exit status is 0 when there is none.
    """
    from ingestion_layer.sources.names import FOLDER
    from tidemill.config.project import current_project
    from tidemill.projects.checking import check

    problems = check()
    if as_json:
        click.echo(json.dumps([asdict(problem) for problem in problems], indent=2))
    else:
        for problem in problems:
            click.echo(problem.shown())
        if not problems:
            project = current_project()
            gold, suites = project.gold_files(), project.suite_files()
            mappings = [file for folder in project.own(FOLDER) for file in folder.glob("*.yaml")]
            own = f"{len(project.contract_files())} contracts, {len(project.use_cases())} use cases"
            own += f", {len(mappings)} mappings" if mappings else ""
            own += f", {len(gold)} gold tables" if gold else ""
            own += f", {len(suites)} suites of expectations" if suites else ""
            click.echo(f"{project.name}: {own}: nothing wrong")
        else:
            click.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)}", err=True)
    sys.exit(1 if problems else 0)
