"""Finding Java: Kafka and Spark run on it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tidemill.config.installation import INSTALL
from tidemill.stack.service import MissingPrerequisiteError

SUPPORTED = (17, 21)
TIMEOUT_S = 30.0
NEWEST_NEEDED = 21
"""By NiFi: at least this version."""
PLACES = ("/usr/lib/jvm/*", "/opt/java/*", "/opt/jdk*", "/Library/Java/JavaVirtualMachines/*/Contents/Home")
"""Where systems put the Javas that they have."""


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
    """The major version of a ``java`` program, None when it does not say or cannot be run."""
    try:
        done = subprocess.run([binary, "-version"], capture_output=True, check=False, timeout=TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(rb'version "(\d+)', done.stderr)
    return int(match.group(1)) if match else None


def newer_java(home: Path | None) -> str:
    """The ``java`` of ``home`` if that is given, else the first that is new enough: JAVA_HOME's, PATH's, others.

    Raises:
        MissingPrerequisiteError: there is none.
    """
    found = [home / "bin" / "java"] if home else list(_javas())
    versions = {str(binary): java_major(str(binary)) for binary in found if binary.is_file()}
    for binary, major in versions.items():
        if major is not None and major >= NEWEST_NEEDED:
            return binary
    seen = "; ".join(f"{binary} is Java {major or 'of an unknown version'}" for binary, major in versions.items())
    raise MissingPrerequisiteError(
        f"NiFi needs Java {NEWEST_NEEDED} or newer ({seen or 'none found'}): install one beside the other, such as "
        "openjdk-21-jre-headless or Temurin, and set nifi.java_home where it is not found"
    )


def _javas() -> Iterator[Path]:
    """The ``java`` programs that are found here, those that were chosen first."""
    with suppress(MissingPrerequisiteError):
        yield Path(java_binary())
    for pattern in PLACES:
        yield from (home / "bin" / "java" for home in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True))
