"""Which shop this home's history came from, so that live events go on with its customers."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from ingestion_layer.sources.simulator.shop import Shop
from tidemill.config.errors import TerminalError
from tidemill.config.files import replace_file
from tidemill.config.settings import Settings


class NoHistoryError(TerminalError):
    """Live events were asked for before any history was sent."""


@dataclass(frozen=True)
class CurrentShop:
    """The shop, the faults its history was sent with (as typed), and the next simulated day to send live."""

    shop: Shop
    faults: str
    live_day: int


def load_current(settings: Settings) -> CurrentShop | None:
    """The shop last sent from this home; None when there was none."""
    path = _path(settings)
    if not path.exists():
        return None
    read = orjson.loads(path.read_bytes())
    return CurrentShop(Shop.from_dict(read["shop"]), read["faults"], read["live_day"])


def current_shop(settings: Settings) -> CurrentShop:
    """The shop last sent from this home.

    Raises:
        NoHistoryError: there was none.
    """
    current = load_current(settings)
    if current is None:
        raise NoHistoryError(
            f"no simulated shop in {settings.home}: send its history first (tidemill produce simulator)"
        )
    return current


def save_current(settings: Settings, current: CurrentShop) -> None:
    noted = {"shop": current.shop.to_dict(), "faults": current.faults, "live_day": current.live_day}
    replace_file(_path(settings), orjson.dumps(noted, option=orjson.OPT_INDENT_2))


def _path(settings: Settings) -> Path:
    return settings.home / "progress" / "simulator.json"
