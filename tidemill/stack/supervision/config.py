"""supervisord's configuration."""

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from tidemill.stack.catalog import waves
from tidemill.stack.folders import Folders
from tidemill.stack.service import Service

DAEMON = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
nodaemon=true
silent=true
pidfile={pid}
childlogdir=logs
logfile={log}
logfile_maxbytes=5MB
logfile_backups=2
identifier=tidemill
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
priority={priority}
autostart=false
autorestart=true
startsecs=10
startretries=20
stopsignal=TERM
stopwaitsecs={stop_timeout:.0f}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=3
"""


def render_config(services: Sequence[Service], folders: Folders) -> str:
    """The text of supervisord's configuration.

    A service's part depends on itself and on those it needs: one that is new changes no other, which would be stopped.
    Paths are relative to the home folder, where it must run: it takes what stands after a blank and ``#`` or ``;`` for
    a comment, expands a ``%`` in the logs' twice, and one in the name of the temporary folder, where it would have its
    own, too.
    """
    user = "user=root\n" if os.getuid() == 0 else ""
    text = DAEMON.format(
        socket=_from_home(folders.socket, folders),
        pid=_from_home(folders.supervisor_pid, folders),
        log=_from_home(folders.log("supervisor"), folders),
        user=user,
    )
    level_of = {service.name: level for level, wave in enumerate(waves(services), start=1) for service in wave}
    for service in services:
        launch = [sys.executable, "-m", "tidemill.stack.supervision.launch", str(folders.launch_file(service.name))]
        text += PROGRAM.format(
            name=service.name,
            command=_command(launch),
            priority=level_of[service.name],
            stop_timeout=service.stop_timeout_s,
            log=_from_home(folders.log(service.name), folders),
        )
    return text


def _from_home(path: Path, folders: Folders) -> Path:
    return path.relative_to(folders.home) if path.is_relative_to(folders.home) else path


def _command(words: Sequence[str]) -> str:
    """The command line: no blank stands before a ``#`` or ``;`` in it, as each is in quotes of its own."""
    return re.sub("[#;]", r"""'"\g<0>"'""", shlex.join(words)).replace("%", "%%")
