"""Finding Java: Kafka and Spark run on it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tidemill.config.installation import INSTALL
from tidemill.stack.service import MissingPrerequisiteError

SUPPORTED = (17, 21)


def java_binary() -> str:
    """The ``java`` of JAVA_HOME (which Spark's scripts follow too), else the one on PATH.

    Raises:
        MissingPrerequisiteError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(str(Path(home) / "bin" / "java")) if home else shutil.which("java")
    if not found:
        place = f"JAVA_HOME ({home})" if home else "PATH"
        raise MissingPrerequisiteError(f"no java on {place}: {INSTALL} Java 17 or 21")
    return found


def checked_java() -> str:
    """The ``java`` that programs here run on, of a version that they support.

    Raises:
        MissingPrerequisiteError: there is none, or it is of another version.
    """
    binary = java_binary()
    major = java_major(binary)
    if major not in SUPPORTED:
        raise MissingPrerequisiteError(f"{binary} is Java {major or 'of an unknown version'}: install Java 17 or 21")
    return binary


def java_major(binary: str) -> int | None:
    """The major version of a ``java`` program, None when it does not say."""
    output = subprocess.run([binary, "-version"], capture_output=True, text=True, check=False, timeout=30).stderr
    match = re.search(r'version "(\d+)', output)
    return int(match.group(1)) if match else None
