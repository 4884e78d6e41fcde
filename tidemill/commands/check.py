"""``tidemill check``."""

import json
import sys
from dataclasses import asdict

import click


@click.command(name="check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Validate contracts, their evolution, sources, features, labels, models, gold tables, suites and jobs of Flink.

    No server is needed. Every problem is printed, with its file and its line or key. The exit status is 0 when there is
    none.
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
            own = f"{len(project.contract_files())} contracts, {len(project.use_cases())} use cases"
            others = {
                "mappings": [file for folder in project.own(FOLDER) for file in folder.glob("*.yaml")],
                "gold tables": project.gold_files(),
                "suites of expectations": project.suite_files(),
                "jobs of Flink": project.flink_files(),
            }
            own += "".join(f", {len(files)} {kind}" for kind, files in others.items() if files)
            click.echo(f"{project.name}: {own}: nothing wrong")
        else:
            click.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)}", err=True)
    sys.exit(1 if problems else 0)
