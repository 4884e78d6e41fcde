"""One GET request to a service of the stack."""

from functools import cache

import httpx

from tidemill.stack.service import NotReadyError


def get(url: str, timeout_s: float = 3.0, also: int | None = None) -> httpx.Response:
    """The answer to ``GET url``, which no proxy stands in front of.

    Raises:
        NotReadyError: no answer, or one with an error status other than ``also``.
    """
    try:
        response = _client().get(url, timeout=timeout_s)
        if response.status_code != also:
            response.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise NotReadyError(f"GET {url} answered {error.response.status_code}") from error
    except httpx.TransportError as error:
        raise NotReadyError(f"GET {url}: {error or type(error).__name__}") from error
    return response


@cache
def _client() -> httpx.Client:
    """Making one takes longer than a request: it reads the system's certificates."""
    return httpx.Client(trust_env=False)
