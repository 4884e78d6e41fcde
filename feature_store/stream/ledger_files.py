"""The ledgers of a group's states as files: one each time, so that a late writer of an old one changes nothing."""

import logging
import re
from dataclasses import dataclass

from pyspark.sql import SparkSession

from data_lake.hadoop_files import move, names, read_text, remove, write_text
from feature_store.catalog import state_view_name
from feature_store.definitions import FeatureGroup
from feature_store.states.ledger import Ledger
from tidemill.config.settings import Settings

KEPT = 3
NAME = re.compile(r"\d+-\d+\.json")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LedgerFolder:
    """Beside the checkpoints of the stream, on the file system of these."""

    spark: SparkSession
    settings: Settings
    group: FeatureGroup

    def newest(self) -> Ledger | None:
        """The one of the newest epoch, written last; None before the first."""
        for name in self._names():
            try:
                return Ledger.load(read_text(self.spark, f"{self._folder}/{name}"))
            except ValueError as error:
                logger.warning("%s/%s is left out: %s", self._folder, name, error)
        return None

    def save(self, ledger: Ledger) -> None:
        """Write ``ledger`` beside those of before, of which the newest stay."""
        name = f"{ledger.epoch}-{ledger.number}.json"
        write_text(self.spark, f"{self._folder}/.{name}", ledger.dump())
        move(self.spark, f"{self._folder}/.{name}", f"{self._folder}/{name}")
        for old in self._names()[KEPT:]:
            remove(self.spark, f"{self._folder}/{old}")

    @property
    def _folder(self) -> str:
        return f"{self.settings.checkpoints.rstrip('/')}/ledgers/{state_view_name(self.group)}"

    def _names(self) -> list[str]:
        """The newest first."""
        found = {tuple(map(int, name.removesuffix(".json").split("-"))): name for name in self._files()}
        return [found[key] for key in sorted(found, reverse=True)]

    def _files(self) -> list[str]:
        return [name for name in names(self.spark, self._folder) if NAME.fullmatch(name)]
