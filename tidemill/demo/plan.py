"""What a demo run sends and asks: its source and its size."""

import json
from dataclasses import dataclass
from pathlib import Path

from tidemill.config.errors import TerminalError
from tidemill.config.project import current_project
from tidemill.config.settings import Settings

SIMULATOR = "simulator"
ONLINE_RETAIL = "online-retail"
SEED = 20


class PlanError(TerminalError):
    """The demo was asked for something that does not fit together."""


@dataclass(frozen=True)
class Size:
    """How much a demo does; ``live_rate`` is in events a second, ``search_s`` the budget of the model search."""

    customers: int
    days: int
    live_rate: int
    live_s: int
    trials: int
    search_s: int


SIZES = {
    "small": Size(customers=1_500, days=400, live_rate=50, live_s=15, trials=8, search_s=40),
    "medium": Size(customers=6_000, days=540, live_rate=100, live_s=30, trials=20, search_s=120),
    "large": Size(customers=40_000, days=720, live_rate=200, live_s=60, trials=40, search_s=600),
}


@dataclass(frozen=True)
class Plan:
    """One demo run; a home keeps the source and size of its first."""

    settings: Settings
    source: str
    file: Path | None
    size: Size

    @property
    def folder(self) -> Path:
        return self.settings.home / "demo"

    @property
    def use_case(self) -> str:
        """The one that is trained and asked: the first that is served."""
        return self.settings.serving.first

    @property
    def logs(self) -> Path:
        return self.settings.home / "logs" / "demo"

    def history_arguments(self) -> list[str]:
        """The arguments of ``tidemill`` that send the history; a second time they send nothing."""
        if self.file is not None:
            return ["produce", ONLINE_RETAIL, str(self.file)]
        shop = ["--customers", str(self.size.customers), "--days", str(self.size.days), "--seed", str(SEED)]
        return ["produce", SIMULATOR, *shop, "--faults", "default"]

    def live_arguments(self) -> list[str] | None:
        """The arguments that send live events after the history; a replayed file has none."""
        if self.file is not None:
            return None
        return ["produce", SIMULATOR, "--live", str(self.size.live_rate), "--seconds", str(self.size.live_s)]


def make_plan(settings: Settings, source: str, file: Path | None, size: str) -> Plan:
    """The plan of this run.

    Raises:
        PlanError: a source without its file, a file without its source, or another source or size than this home has;
            or the project leaves out the shop.
    """
    project = current_project()
    if not project.builtin:
        raise PlanError(
            f"the demo is of the platform's own shop, which {project.file} leaves out (`builtin = false`): "
            "run it without the project, `tidemill --project '' demo`"
        )
    if (source == ONLINE_RETAIL) != (file is not None):
        raise PlanError(f"SOURCE={ONLINE_RETAIL} and FILE=<path of the csv or xlsx> go together")
    if file is not None and not file.is_file():
        raise PlanError(f"there is no file {file}: FILE must be the path of the Online Retail csv, csv.gz or xlsx")
    path = settings.home / "demo" / "plan.json"
    wanted = {"source": source, "size": size if source == SIMULATOR else None}
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else wanted
    if kept != wanted:
        raise PlanError(
            f"the home {settings.home} already holds a demo of {kept}, not {wanted}: "
            "set TIDEMILL_HOME to another folder, or remove this one with `tidemill down --purge`"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(wanted), encoding="utf-8")
    return Plan(settings, source, file.resolve() if file else None, SIZES[size])
