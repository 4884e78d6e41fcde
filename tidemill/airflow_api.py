"""Requests to Airflow's REST API: logged in, retried where a request may be repeated, errors that say what to do."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from tidemill.config.errors import TerminalError, TransientError
from tidemill.config.paging import all_pages
from tidemill.config.secrets import secret
from tidemill.config.settings import Settings

REQUEST_TIMEOUT_S = 60.0
PATIENCE_S = 90.0
PAGE = 100  # Airflow hands out no more at once, whatever it is asked for (api.maximum_page_limit)


class AirflowUnavailableError(TransientError):
    """The API server does not answer, or a DAG did not show up or end in time."""


class AirflowRefusedError(TerminalError):
    """Airflow answered that it will not do this: a wrong password, a bad conf, a DAG that does not import."""


class AirflowConflictError(AirflowRefusedError):
    """What was to be made is there already."""


class AirflowApi:
    """Talks to ``settings.airflow.url`` as ``settings.airflow.user``."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.airflow.url.rstrip("/")
        self._settings = settings
        self._http = httpx.Client(
            base_url=self.url, timeout=REQUEST_TIMEOUT_S, headers={"Accept": "application/json"}, trust_env=False
        )

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer to a GET; tried again for ``PATIENCE_S`` while the server is away."""
        return self.repeat("GET", path, params=params)

    def repeat(self, method: str, path: str, **kwargs: Any) -> Any:
        """:meth:`request`, tried again for ``PATIENCE_S`` while the server is away or at fault.

        For requests that may arrive twice. Airflow on SQLite answers 500 now and then: it writes its log of requests
        on its event loop, and waits there for 5 s for another request that cannot end before.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.request(method, path, **kwargs)
            except AirflowUnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1.0)

    def listed(self, path: str, key: str, order_by: str, **params: Any) -> Iterator[Any]:
        """Every entry that the GET lists under ``key``, on all its pages, in the order of ``order_by``."""

        def read(offset: int | None) -> tuple[list[Any], int | None]:
            first = offset or 0
            answer = self.get(path, **params, order_by=order_by, limit=PAGE, offset=first)
            entries: list[Any] = answer[key]
            end = first + len(entries)
            return entries, end if entries and end < answer["total_entries"] else None

        return all_pages(read)

    def request(self, method: str, path: str, **kwargs: Any) -> Any:
        """The JSON answer, None when it is empty; ``kwargs`` are httpx's.

        Raises:
            AirflowUnavailableError: no answer, or one that says the server is at fault.
            AirflowRefusedError: the request is at fault.
        """
        response = self._send(method, f"/api/v2{path}", **kwargs)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._log_in()
            response = self._send(method, f"/api/v2{path}", **kwargs)
        content = self._checked(response).content
        return response.json() if content else None

    def _log_in(self) -> None:
        user, password = self._settings.airflow.user, secret(self._settings, "airflow_password").get_secret_value()
        response = self._send("POST", "/auth/token", json={"username": user, "password": password})
        self._http.headers["Authorization"] = f"Bearer {self._checked(response).json()['access_token']}"

    def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **kwargs)
        except httpx.TransportError as error:
            raise AirflowUnavailableError(
                f"{method} {self.url}{path}: {error or type(error).__name__}: is Airflow up? (`tidemill status`)"
            ) from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        asked = f"{response.request.method} {response.request.url}"
        message = f"{asked} answered {response.status_code}: {_detail(response)}"
        if response.is_server_error:
            raise AirflowUnavailableError(message)
        raise (AirflowConflictError if response.status_code == httpx.codes.CONFLICT else AirflowRefusedError)(message)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:500]
