"""The MLflow client of this process, with timeouts, and its failures as this project's errors."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.paging import all_pages
from tidemill.config.settings import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.store.entities import PagedList

Found = TypeVar("Found")


class MlflowUnavailableError(TransientError):
    """The MLflow server did not answer in time, or answered that it is broken."""


class MlflowRequestError(TerminalError):
    """The MLflow server refused the request; trying again changes nothing."""


class MlflowMissingError(MlflowRequestError):
    """What was asked for is not on the MLflow server."""


def connect(settings: Settings) -> "MlflowClient":
    """A client of ``settings.mlflow``; also points MLflow's own global functions there.

    One request takes at most ``settings.mlflow.timeout_s`` and is tried twice, so a server that is away is
    noticed in seconds instead of MLflow's default of minutes.
    """
    import mlflow
    from mlflow import environment_variables as mlflow_settings

    import feature_store  # noqa: F401 - Feast is a plugin of MLflow, which imports it: quickly after this

    mlflow_settings.MLFLOW_HTTP_REQUEST_TIMEOUT.set(max(1, round(settings.mlflow.timeout_s)))
    mlflow_settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(1)
    mlflow_settings.MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.set(1)
    mlflow_settings.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    mlflow_settings.MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
    mlflow_settings.MLFLOW_UV_AUTO_DETECT.set(False)
    uri = settings.mlflow.tracking_uri
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


def search(page_of: "Callable[[str | None], PagedList[Found]]") -> Iterator[Found]:
    """What a search of MLflow finds, on all its pages; ``page_of`` asks for the page of a token."""

    def read(token: str | None) -> "tuple[PagedList[Found], str | None]":
        page = page_of(token)
        return page, page.token or None

    return all_pages(read)


@contextmanager
def mlflow_errors(settings: Settings, doing: str) -> Iterator[None]:
    """Turns MLflow's exceptions into :class:`MlflowUnavailableError`, :class:`MlflowMissingError` or
    :class:`MlflowRequestError`; the message says what was being done and at which address.
    """
    import requests
    from mlflow.exceptions import MlflowException

    place = settings.mlflow.tracking_uri
    try:
        yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise MlflowUnavailableError(f"{doing}: MLflow at {place} does not answer ({_cause(str(error))})") from error
    except requests.HTTPError as error:
        status = 500 if error.response is None else error.response.status_code
        raise _from_status(status, str(error), doing, place) from error
    except MlflowException as error:
        raise _from_status(error.get_http_status_code(), str(error), doing, place) from error


def _from_status(status: int, message: str, doing: str, place: str) -> TransientError | TerminalError:
    if status >= 500 or status == 429:
        return MlflowUnavailableError(f"{doing}: MLflow at {place} does not answer ({_cause(message)})")
    if status == 404 or message.startswith("INVALID_PARAMETER_VALUE: Registered model alias"):
        return MlflowMissingError(f"{doing}: not found at {place} ({message})")
    return MlflowRequestError(f"{doing}: refused by MLflow at {place} ({message})")


def _cause(message: str) -> str:
    """What is at the bottom of a chain of connection errors, without the request that failed."""
    found = re.search(r"Caused by (\w+)\(.*?(\[Errno \d+\][^\"']*|[Tt]imed out[^\"')]*|resolve[^\"')]*)", message)
    return f"{found[1]}: {found[2]}" if found else message
