"""``python -m ingestion_layer.http``: the server that takes events, at ``settings.events.url``."""

import sys
from typing import Any

import uvicorn

from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings, load_settings
from tidemill.web.address import listen_address
from tidemill.web.logs import log_to_stderr
from tidemill.web.protocol import BoundedHttpProtocol

GRACE_S = 10
"""Beside the time that an acknowledgement may take."""


def main() -> int:
    """Serve until a signal; requests in flight are answered, by the broker's acknowledgement or its absence."""
    log_to_stderr()
    try:
        settings = load_settings()
        host, port = listen_address("events.url", settings.events.url)
        application = _application(settings)
    except TidemillError as error:
        sys.stderr.write(f"ingestion_layer.http: {error}\n")
        return error.exit_status
    uvicorn.run(application, host=host, port=port, **options(settings))
    return 0


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told besides the application and the address."""
    return {
        "loop": "uvloop",
        "http": BoundedHttpProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": settings.events.keep_alive_s,
        "timeout_graceful_shutdown": int(settings.events.acknowledge_timeout_s) + GRACE_S,
    }


def _application(settings: Settings) -> Any:
    from ingestion_layer.http.app import Application
    from ingestion_layer.http.server import Server

    return Application(Server(settings))


if __name__ == "__main__":
    sys.exit(main())
