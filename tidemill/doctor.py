"""Whether this machine can run the local stack, and what to do where it cannot."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tidemill.config.environment import is_kept
from tidemill.config.errors import TidemillError
from tidemill.config.installation import INSTALL, POMS, SET_UP
from tidemill.config.settings import Settings
from tidemill.config.user import check_named, user_name
from tidemill.setup.jars import is_whole
from tidemill.setup.nifi import is_made
from tidemill.stack.catalog import catalog
from tidemill.stack.folders import Folders
from tidemill.stack.machine.java import SUPPORTED, java_binary, java_major, newer_java
from tidemill.stack.machine.ports import check_free
from tidemill.stack.services.airflow import installed_version
from tidemill.stack.services.nifi import MAKE_NIFI
from tidemill.stack.services.nifi_configuration import parts_folder
from tidemill.stack.services.redis import redis_binary
from tidemill.stack.supervision.daemon import leftovers, service_record
from tidemill.stack.supervision.processes import memory_bytes

GIB = 2**30
# The stack stays below 8 GiB; a machine also needs room for itself.
MEMORY_BYTES = 7 * GIB
DISK_BYTES = 5 * GIB
PYTHONS = ((3, 11), (3, 12))
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
PLATFORM_PROGRAMS = ("python", "tidemill", "mlflow", "spark-submit", "supervisord")


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and, where it failed, what to do."""

    name: str
    is_ok: bool
    found: str
    advice: str = ""


def checks(settings: Settings) -> list[Check]:
    """Every check, in the order in which their failures should be mended."""
    single: tuple[Callable[[Settings], Check], ...] = (
        python, java, maven, memory, disk, home, platform_environment, airflow_environment, redis,
        user, variables, nifi,
    )  # fmt: skip
    results = [*(check(settings) for check in single), *jars(settings), *ports(settings)]
    return [replace(result, advice="") if result.is_ok else result for result in results]


def python(settings: Settings) -> Check:
    program = settings.platform_environment / "bin" / "python"
    line = "import sys; print(*sys.version_info[:3], sep='.')"
    try:
        version = subprocess.run([program, "-c", line], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        return Check("python", False, f"{program} does not run: {error}", f"run `{SET_UP}`")
    is_ok = tuple(int(part) for part in version.split(".")[:2]) in PYTHONS
    return Check("python", is_ok, f"{version} ({program})", f"install Python 3.11 or 3.12, then `{SET_UP}`")


def java(_settings: Settings) -> Check:
    advice = f"{INSTALL} Java 17 or 21 and set JAVA_HOME to it"
    try:
        binary = java_binary()
        major = java_major(binary)
    except (TidemillError, OSError, subprocess.TimeoutExpired) as error:
        return Check("java", False, str(error), advice)
    return Check("java", major in SUPPORTED, f"version {major or 'unknown'} ({binary})", advice)


def maven(settings: Settings) -> Check:
    program = shutil.which("mvn")
    if program:
        return Check("maven", True, program)
    if all(check.is_ok for check in jars(settings)):
        return Check("maven", True, "not found, and not needed: the jars are here")
    return Check("maven", False, "no mvn on PATH", f"{INSTALL} Maven: it fetches the jars")


def memory(settings: Settings) -> Check:
    """Free memory and what the stack itself holds, together; a container's limit counts."""
    own = memory_bytes(leftovers(Folders.of(settings)))
    usable = min(psutil.virtual_memory().available, _container_headroom()) + own
    found = f"{usable / GIB:.1f} GiB free or used by the stack, {MEMORY_BYTES / GIB:.0f} GiB needed"
    return Check(
        "memory", usable >= MEMORY_BYTES, found, "end other programs, or start fewer services: `tidemill up NAME`"
    )


def _container_headroom() -> int:
    """What a container's limit leaves (cgroup v2); file cache that can be dropped counts as free."""
    limit = CGROUP_LIMIT.read_text(encoding="ascii").strip() if CGROUP_LIMIT.exists() else "max"
    if limit == "max":
        return psutil.virtual_memory().total
    used = int(CGROUP_LIMIT.with_name("memory.current").read_text(encoding="ascii"))
    statistics = CGROUP_LIMIT.with_name("memory.stat").read_text(encoding="ascii")
    cache = dict(line.split() for line in statistics.splitlines()).get("inactive_file", "0")
    return int(limit) - used + int(cache)


def disk(settings: Settings) -> Check:
    existing = _nearest_existing(settings.home)
    free = shutil.disk_usage(existing).free
    found = f"{free / GIB:.1f} GiB free at {existing}, {DISK_BYTES / GIB:.0f} GiB needed"
    return Check("disk", free >= DISK_BYTES, found, "make room, or put the home folder elsewhere with TIDEMILL_HOME")


def home(settings: Settings) -> Check:
    existing = _nearest_existing(settings.home)
    is_ok = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    found = f"{settings.home} {'can be written' if is_ok else f'cannot be written: see {existing}'}"
    return Check("home", is_ok, found, "give yourself the right to write there, or choose another with TIDEMILL_HOME")


def platform_environment(settings: Settings) -> Check:
    folder = settings.platform_environment / "bin"
    missing = [name for name in PLATFORM_PROGRAMS if not (folder / name).exists()]
    found = f"{folder} lacks {', '.join(missing)}" if missing else str(settings.platform_environment)
    return Check("platform environment", not missing, found, f"run `{SET_UP}`")


def airflow_environment(settings: Settings) -> Check:
    try:
        return Check("airflow environment", True, f"{installed_version(settings)} in {settings.airflow.environment}")
    except TidemillError as error:
        return Check("airflow environment", False, str(error), f"run `{SET_UP}`")


def redis(_settings: Settings) -> Check:
    try:
        return Check("redis", True, redis_binary())
    except TidemillError as error:
        return Check("redis", False, str(error), f"run `{SET_UP}`, or install redis-server")


def nifi(settings: Settings) -> Check:
    """Optional: it is in order not to have it, and not in order to have it without a Java that it runs on."""
    is_here = is_made(parts_folder(settings))
    try:
        java = f"Java {java_major(newer := newer_java(settings.nifi.java_home))} ({newer})"
    except TidemillError as error:
        found, _, advice = str(error).partition(": ")
        return Check("nifi", not is_here, found if is_here else f"not set up (optional); {found}", advice)
    return Check("nifi", True, java if is_here else f"not set up (optional: `{MAKE_NIFI}`); {java} would do")


def user(_settings: Settings) -> Check:
    try:
        check_named()
    except TidemillError as error:
        found, _, advice = str(error).partition(": ")
        return Check("user", False, found, advice)
    return Check("user", True, user_name())


def variables(settings: Settings) -> Check:
    """What of the environment this command was started in passes to the platform's processes."""
    given = psutil.Process().environ()
    kept = [name for name, value in sorted(given.items()) if is_kept(settings, name, value)]
    left_out = [name for name in sorted(given) if name not in kept]
    found = f"kept {', '.join(kept) or 'nothing'}; left out {', '.join(left_out) or 'nothing'}"
    return Check("variables of this shell", True, found)


def jars(settings: Settings) -> Iterator[Check]:
    """Each folder of jars was filled from the pom as it is now."""
    for name in ("spark", "kafka"):
        folder = settings.spark.jars.parent / name
        if not any(folder.glob("*.jar")):
            yield Check(f"{name} jars", False, f"none in {folder}", f"run `{SET_UP}`")
        elif not is_whole(folder, POMS / name / "pom.xml"):
            yield Check(f"{name} jars", False, f"{folder} was not filled from the present pom", f"run `{SET_UP}`")
        else:
            yield Check(f"{name} jars", True, f"{len(list(folder.glob('*.jar')))} in {folder}")


def ports(settings: Settings) -> Iterator[Check]:
    """Each local port is free, or held by the service it is for."""
    folders = Folders.of(settings)
    for service in catalog(settings).values():
        if not service.endpoints or not service.is_local:
            continue
        addresses = ", ".join(str(endpoint) for endpoint in service.endpoints)
        record = service_record(folders, service.name)
        if record and record.process():
            yield Check(f"port of {service.name}", True, f"{addresses}, used by it")
            continue
        try:
            check_free(service.name, service.endpoints)
        except TidemillError as error:
            found, _, advice = str(error).partition("; ")
            yield Check(f"port of {service.name}", False, found, advice)
        else:
            yield Check(f"port of {service.name}", True, f"{addresses}, free")


def _nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
