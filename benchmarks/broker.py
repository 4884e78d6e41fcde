"""A broker for the time of a benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tidemill.config import Settings, load_settings
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka
from tidemill.stack.supervision.running import running


@contextmanager
def broker() -> Iterator[Settings]:
    """Settings of a temporary home, its broker running."""
    with tempfile.TemporaryDirectory(prefix="tidemill-produce-") as home:
        port, controller = free_ports(2)
        settings = load_settings(
            {
                "TIDEMILL_HOME": home,
                "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
                "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
            }
        )
        with running(kafka.services(settings)[0], settings):
            yield settings
