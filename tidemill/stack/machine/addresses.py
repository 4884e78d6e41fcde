"""Reading host and port out of the settings, whose URLs carry the ports."""

from urllib.parse import urlsplit

from tidemill.config.errors import TerminalError
from tidemill.stack.service import Endpoint

DEFAULT_PORTS = {"http": 80, "https": 443}


class AddressError(TerminalError):
    """A setting is not an address; the message names the setting."""


def endpoint(value: str, setting: str) -> Endpoint:
    """``value`` (``host:port`` or a URL) of the setting with the dotted name ``setting``.

    Raises:
        AddressError: there is no host or no port in it.
    """
    parts = urlsplit(value if "://" in value else f"//{value}")
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError as error:
        raise AddressError(f"{setting} = {value!r}: {error}") from error
    if not parts.hostname or not port:
        raise AddressError(f"{setting} = {value!r} is not an address: give host:port, or a URL with a port")
    return Endpoint(parts.hostname, port, setting)


def first_endpoint(value: str, setting: str) -> Endpoint:
    """The first of a comma-separated list of addresses."""
    return endpoint(value.split(",", maxsplit=1)[0].strip(), setting)
