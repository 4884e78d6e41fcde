"""The plugin Airflow loads from its plugins folder."""

from typing import Any, ClassVar

from airflow.sdk.plugins_manager import AirflowPlugin

from airflow_orchestration.plugins.links.mlflow_run import MlflowRunLink
from tidemill.config.settings import Settings, load_settings


def external_views(settings: Settings) -> list[dict[str, str]]:
    """The entries that lead from Airflow's navigation to the other pages of the platform."""
    pages = {"MLflow": settings.mlflow.tracking_uri, "Model server": f"{settings.serving.url.rstrip('/')}/docs"}
    return [{"name": name, "href": url, "destination": "nav", "category": "browse"} for name, url in pages.items()]


class TidemillPlugin(AirflowPlugin):  # type: ignore[misc]
    """Leads from Airflow to a training's MLflow run, to MLflow and to the model server."""

    name = "tidemill"
    external_views: ClassVar[list[Any]] = external_views(load_settings())
    operator_extra_links: ClassVar[list[Any]] = [MlflowRunLink()]
