"""NiFi, put together from its published parts.

One part is published as a list of libraries only: its archive is made here, as NiFi's own build would. What runs
processors written in Python comes in archives, and is unpacked.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tidemill.config.installation import POMS, digest
from tidemill.config.settings import Settings
from tidemill.setup.jars import fetch_jars
from tidemill.setup.lock import alone

VERSION = "2.3.0"
PARTS, STANDARD = "nifi", "nifi-standard"
STAMP = ".made-of"
LIBRARIES = "META-INF/bundled-dependencies"
MANIFEST = f"""\
Manifest-Version: 1.0
Nar-Group: org.apache.nifi
Nar-Id: nifi-standard-nar
Nar-Version: {VERSION}
Nar-Dependency-Group: org.apache.nifi
Nar-Dependency-Id: nifi-standard-shared-nar
Nar-Dependency-Version: {VERSION}

"""
"""Of the archive: NiFi finds by it which archive's libraries this one's come after."""


def make_nifi(settings: Settings, report: Callable[[str], None]) -> Path:
    """Fetch the parts and put them together; what is whole is left alone.

    Raises:
        MissingPrerequisiteError: there is no Maven or no Java that it could run on.
        SetupFailedError: Maven could not fetch them.
    """
    jars = fetch_jars(settings, report, [PARTS, STANDARD])
    folder = jars / PARTS
    with alone(folder):
        if not is_made(folder):
            report("putting NiFi together")
            _archive(sorted((jars / STANDARD).glob("*.jar")), folder / f"nifi-standard-nar-{VERSION}.nar")
            _unpack(folder)
            (folder / STAMP).write_text(_made_of(), encoding="utf-8")
    return folder


def is_made(folder: Path) -> bool:
    """Whether NiFi was put together in ``folder`` from the poms as they are now, and by this code."""
    stamp = folder / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _made_of()


def _made_of() -> str:
    return f"{digest([*(POMS / name / 'pom.xml' for name in (PARTS, STANDARD)), Path(__file__)])}\n"


def _archive(libraries: Iterable[Path], nar: Path) -> None:
    partial = nar.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as archive:  # jars are compressed already
        archive.mkdir("META-INF")  # NiFi makes no folder that is not named
        archive.writestr("META-INF/MANIFEST.MF", MANIFEST)
        archive.mkdir(LIBRARIES)
        for library in libraries:
            archive.write(library, f"{LIBRARIES}/{library.name}")
    partial.replace(nar)


def _unpack(folder: Path) -> None:
    """``python/framework`` and, beside it, where NiFi looks for it, ``python/api``."""
    python = folder / "python"
    shutil.rmtree(python, ignore_errors=True)
    for name, place in (("nifi-python-framework", python), ("nifi-python-extension-api", python / "api")):
        with zipfile.ZipFile(folder / f"{name}-{VERSION}.jar") as archive:
            archive.extractall(place, [entry for entry in archive.namelist() if not entry.startswith("META-INF/")])
