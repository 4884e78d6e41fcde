"""The newest features into the online store; run by spark-submit, or by ``tidemill features materialize``."""

import click

from data_lake.job import run
from feature_store.materialization import materialize
from feature_store.views import CUSTOMER_SNAPSHOT


@click.command()
def main() -> None:
    """Write the newest customer snapshot to the online store; the last line printed is a JSON object."""
    run("features/materialize", lambda spark, settings: materialize(spark, settings, CUSTOMER_SNAPSHOT))


if __name__ == "__main__":
    main()
