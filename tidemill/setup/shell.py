"""The environment that set-up was called in, for pip and Maven: proxies, certificate authorities, mirrors are there."""

import psutil

LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


def callers_environment() -> dict[str, str]:
    """The variables of the shell that started this process, which has left most of them out of its own."""
    return {name: value for name, value in psutil.Process().environ().items() if name not in LEFT_OUT}
