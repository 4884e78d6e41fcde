"""Jars: what a pom names, fetched by Maven into a folder that is whole or not there."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tidemill.config.installation import POMS
from tidemill.config.settings import Settings
from tidemill.setup.lock import SetupFailedError, alone
from tidemill.setup.shell import callers_environment
from tidemill.stack.machine.java import checked_java
from tidemill.stack.service import MissingPrerequisiteError

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
MANIFEST = "jars.json"
ARCHIVES = (".jar", ".nar")
"""Of Java, and of NiFi, whose archives hold jars."""
ALWAYS = ("kafka", "spark")
"""What everybody needs; other jars belong to their parts of set-up."""


def fetch_jars(settings: Settings, report: Callable[[str], None], names: Sequence[str] = ALWAYS) -> Path:
    """Fill each folder of jars from its pom; one that is filled from the same pom, and whole, is left alone.

    Raises:
        MissingPrerequisiteError: there is no Maven or no Java that it could run on.
        SetupFailedError: Maven could not fetch them.
    """
    target = settings.spark.jars.parent
    with alone(target):
        for pom in (POMS / name / "pom.xml" for name in names):
            if not is_whole(target / pom.parent.name, pom):
                report(f"fetching the jars of {pom.parent.name}")
                _fetch(pom, target / pom.parent.name)
    return target


def is_whole(folder: Path, pom: Path) -> bool:
    """Whether ``folder`` was filled from ``pom``, and has every jar in its size, where that is on record."""
    try:
        if (folder / "pom.xml").read_bytes() != pom.read_bytes():
            return False
        if not (folder / MANIFEST).exists():
            return any(folder.glob("*.jar"))
        sizes = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def _fetch(pom: Path, folder: Path) -> None:
    checked_java()
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPrerequisiteError("no mvn on PATH: install Maven (Debian and Ubuntu: apt-get install maven)")
    for abandoned in folder.parent.glob(f".{folder.name}.[0-9]*"):  # of one that was killed: the lock is ours
        shutil.rmtree(abandoned, ignore_errors=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    options = [f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
    command = [maven, "--quiet", "--batch-mode", "-Dstyle.color=never", "--file", str(pom), PLUGIN, *options]
    environment = callers_environment()
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    sizes = {jar.name: jar.stat().st_size for jar in sorted(partial.iterdir()) if jar.suffix in ARCHIVES}
    if done.returncode or not sizes:
        shutil.rmtree(partial, ignore_errors=True)
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise SetupFailedError(f"Maven could not fetch the jars of {folder.name}; it said:\n{said}")
    shutil.copyfile(pom, partial / "pom.xml")
    (partial / MANIFEST).write_text(json.dumps(sizes, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
