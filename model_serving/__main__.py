"""``python -m model_serving``: the model server, at ``settings.serving.url``."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import uvicorn

from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings, load_settings
from tidemill.web.address import listen_address
from tidemill.web.logs import log_to_stderr
from tidemill.web.protocol import BoundedHttpProtocol

GRACE_S = 30
WORKER_START_S = 120  # a worker that is still importing is not a hung one


def main() -> int:
    """Serve until a signal; in-flight requests are finished for up to ``GRACE_S``."""
    log_to_stderr()
    try:
        settings = load_settings()
        host, port = listen_address("serving.url", settings.serving.url)
        shared = _prepare(settings)
    except TidemillError as error:
        sys.stderr.write(f"model_serving: {error}\n")
        return error.exit_status
    if shared is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)  # prometheus_client's only way to be told
    uvicorn.run("model_serving.app:create", factory=True, host=host, port=port, **options(settings))
    return 0


def options(settings: Settings) -> dict[str, Any]:
    """What uvicorn is told besides the application and the address."""
    return {
        "workers": settings.serving.workers,
        "loop": "uvloop",
        "http": BoundedHttpProtocol,
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": settings.serving.keep_alive_s,
        "timeout_graceful_shutdown": GRACE_S,
        "timeout_worker_healthcheck": WORKER_START_S,
    }


def _prepare(settings: Settings) -> Path | None:
    """Empty the folder in which the workers share their metrics; None when there is one worker."""
    from model_serving.metrics import shared_folder

    shared = shared_folder(settings)
    if shared is not None:
        shutil.rmtree(shared, ignore_errors=True)
        shared.mkdir(parents=True)
    return shared


if __name__ == "__main__":
    sys.exit(main())
