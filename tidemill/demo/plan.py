"""What a demo run sends and asks: its source and its size."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tidemill.config.errors import TerminalError
from tidemill.config.project import current_project
from tidemill.config.settings import Settings

SIMULATOR = "simulator"
ONLINE_RETAIL = "online-retail"
SENT = {SIMULATOR: ("shop.", "payment."), ONLINE_RETAIL: ("shop.",)}
"""How the topics begin that a source sends."""
SEED = 20


class PlanError(TerminalError):
    """The demo was asked for something that does not fit together."""


@dataclass(frozen=True)
class Size:
    """How much a demo does; ``live_rate`` is in events a second, ``search_s`` the budget of each model search."""

    customers: int
    days: int
    cards: int
    card_days: int
    live_rate: int
    live_s: int
    trials: int
    search_s: int


SIZES = {
    "small": Size(customers=1_500, days=400, cards=600, card_days=80, live_rate=50, live_s=15, trials=8, search_s=25),
    "medium": Size(
        customers=6_000, days=540, cards=1_500, card_days=100, live_rate=100, live_s=30, trials=20, search_s=120
    ),
    "large": Size(
        customers=40_000, days=720, cards=5_000, card_days=183, live_rate=200, live_s=60, trials=40, search_s=600
    ),
}


@dataclass(frozen=True)
class Plan:
    """One demo run; a home keeps the source, the size and the day of its first.

    ``use_cases`` are those that are served and read nothing but what the source sends.
    """

    settings: Settings
    source: str
    file: Path | None
    size: Size
    began: date
    use_cases: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return self.settings.home / "demo"

    @property
    def logs(self) -> Path:
        return self.settings.home / "logs" / "demo"

    def history_arguments(self) -> list[str]:
        """The arguments of ``tidemill`` that send the history; a second time they send nothing."""
        if self.file is not None:
            return ["produce", ONLINE_RETAIL, str(self.file)]
        shop = ["--customers", str(self.size.customers), "--days", str(self.size.days), "--seed", str(SEED)]
        return ["produce", SIMULATOR, *shop, "--faults", "default"]

    def cards_arguments(self) -> list[str] | None:
        """The arguments that send card payments until the day of the first run; a replayed file has none."""
        if self.file is not None:
            return None
        start = self.began - timedelta(days=self.size.card_days)
        cards = ["--customers", str(self.size.cards), "--terminals", str(2 * self.size.cards), "--seed", str(SEED)]
        return ["produce", "cards", *cards, "--start", start.isoformat(), "--days", str(self.size.card_days)]

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
    asked = tuple(name for name in settings.serving.use_cases if _read(name) <= _sent(source))
    if not asked:
        raise PlanError(f"serving.use_cases = {settings.serving.use_cases}: none of them is about what {source} sends")
    path = settings.home / "demo" / "plan.json"
    wanted = {"source": source, "size": size if source == SIMULATOR else None}
    today = datetime.now(UTC).date().isoformat()
    kept: dict[str, Any] = {**wanted, "began": today}
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
    if any(kept[name] != value for name, value in wanted.items()):
        raise PlanError(
            f"the home {settings.home} already holds a demo of {kept}, not {wanted}: "
            "set TIDEMILL_HOME to another folder, or remove this one with `tidemill down --purge`"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept), encoding="utf-8")
    began = date.fromisoformat(kept["began"])
    return Plan(settings, source, file.resolve() if file else None, SIZES[size], began, asked)


def _read(use_case: str) -> set[str]:
    """The tables that its features are made of."""
    from feature_store.catalog import service

    return {group.source.table for group in service(use_case).groups}


def _sent(source: str) -> set[str]:
    """The tables that have what ``source`` sends."""
    from data_lake.tables import silver
    from tidemill.contracts import contracts

    return {silver(topic).name for topic in contracts() if topic.startswith(SENT[source])}
