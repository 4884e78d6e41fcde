"""Where the platform lies, and what belongs to it: in a clone of its repository, or installed as a package.

A clone has its environments and jars beside the code. An installed platform has them in a cache that all projects
share, in a folder named after what they are made from, so that two versions never share what differs.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tidemill.config.errors import ConfigError

REPO = Path(__file__).resolve().parent.parent.parent
"""The folder that holds the packages: the clone, or ``site-packages``."""
IS_CLONE = (REPO / "pyproject.toml").is_file() and (REPO / "uv.lock").is_file()
SETUP = REPO / "tidemill" / "setup"
POMS = SETUP / "jars"
REQUIREMENTS = SETUP / "requirements"
"""The locked requirements of each environment, which are part of the installed package only."""
PACKAGES = (
    *("airflow_orchestration", "batch_processing", "data_lake", "feature_store", "ingestion_layer", "ml_modeling"),
    *("model_serving", "monitoring", "stream_processing", "tidemill", "use_cases"),
)
"""What the platform installs."""
SET_UP = "make setup" if IS_CLONE else "tidemill setup"
"""What a person runs to have environments and jars made."""
INSTALL = "run `make bootstrap`, or install" if IS_CLONE else "install"
"""How a person gets Java and Maven."""
CACHE_VARIABLE = "TIDEMILL_CACHE"
XDG_VARIABLE = "XDG_CACHE_HOME"
CACHED = ("spark.jars", "airflow.environment", "flink.environment")
"""Settings whose defaults lie in the cache of an installed platform."""


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """``TIDEMILL_CACHE``, else ``tidemill`` in the user's cache folder (XDG Base Directory Specification).

    Raises:
        ConfigError: the variable is no absolute path.
    """
    environ = os.environ if environ is None else environ
    given = environ.get(CACHE_VARIABLE)
    if given:
        folder = Path(given)
        if not folder.is_absolute():
            raise ConfigError(f"{CACHE_VARIABLE} = {given!r}: give an absolute path")
        return folder
    xdg = Path(environ.get(XDG_VARIABLE, ""))
    home = Path(environ.get("HOME") or "~").expanduser()
    return (xdg if xdg.is_absolute() else home / ".cache") / "tidemill"


def cache_origins(environ: Mapping[str, str]) -> dict[str, str]:
    """For each setting whose default lies in the cache: the variable that says where the cache is, if one does."""
    variable = next((name for name in (CACHE_VARIABLE, XDG_VARIABLE) if environ.get(name)), None)
    return {} if IS_CLONE or variable is None else dict.fromkeys(CACHED, f"environment {variable}")


def platform_environment() -> Path:
    return REPO / ".venv" if IS_CLONE else Path(sys.prefix)


def airflow_environment() -> Path:
    return _environment("airflow")


def flink_environment() -> Path:
    return _environment("flink")


def _environment(name: str) -> Path:
    """Of another program: in the cache one for each list of requirements and Python."""
    if IS_CLONE:
        return REPO / f".venv-{name}"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_folder() / f"{name}-py{python}-{digest([REQUIREMENTS / f'{name}.txt'])}"


def jars_folder() -> Path:
    """Of the folders of jars: in the cache one for each state of the poms."""
    if IS_CLONE:
        return REPO / ".jars"
    return cache_folder() / f"jars-{digest(sorted(POMS.glob('*/pom.xml')))}"


def packages_folder() -> Path:
    """What goes into ``PYTHONPATH``: a folder with our packages and no library."""
    if IS_CLONE:
        return REPO
    return cache_folder() / f"packages-{hashlib.sha256(bytes(REPO)).hexdigest()[:12]}"


def digest(files: list[Path]) -> str:
    """Twelve hexadecimal digits of the content of ``files``."""
    content = hashlib.sha256()
    for file in files:
        content.update(file.read_bytes() if file.is_file() else b"")
    return content.hexdigest()[:12]
