"""Where a server listens."""

from urllib.parse import urlsplit

from tidemill.config.errors import ConfigError


def listen_address(setting: str, url: str) -> tuple[str, int]:
    """Host and port of ``url``, the value of the setting with the dotted name ``setting``.

    Raises:
        ConfigError: it is not ``http://HOST:PORT``.
    """
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    if parts.scheme != "http" or not host or port is None or parts.path.strip("/"):
        raise ConfigError(f"{setting} = {url!r} must be http://HOST:PORT, where the server listens")
    return host, port
