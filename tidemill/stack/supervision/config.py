"""supervisord's configuration."""

import os
import shlex
import sys
from collections.abc import Sequence

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
directory={home}
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
    The logs are relative to the home folder, where it must run: it expands a ``%`` in the services' twice, and one in
    the name of the temporary folder, where it would have its own, too.
    """
    user = "user=root\n" if os.getuid() == 0 else ""
    text = DAEMON.format(
        socket=_literal(folders.socket),
        home=_literal(folders.home),
        pid=_literal(folders.supervisor_pid),
        log=_literal(folders.log("supervisor")),
        user=user,
    )
    level_of = {service.name: level for level, wave in enumerate(waves(services), start=1) for service in wave}
    for service in services:
        command = shlex.join(
            [sys.executable, "-m", "tidemill.stack.supervision.launch", str(folders.launch_file(service.name))]
        )
        text += PROGRAM.format(
            name=service.name,
            command=_literal(command),
            priority=level_of[service.name],
            stop_timeout=service.stop_timeout_s,
            log=folders.log(service.name).relative_to(folders.home),
        )
    return text


def _literal(value: object) -> str:
    return str(value).replace("%", "%%")
