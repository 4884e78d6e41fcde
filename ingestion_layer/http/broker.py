"""What a background thread last heard of the broker."""

import logging

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ingestion_layer.http import metrics
from ingestion_layer.kafka.client import client_config
from ingestion_layer.kafka.topics import create_topics
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

TIMEOUT_S = 3.0

logger = logging.getLogger(__name__)


class BrokerWatch:
    """``error`` is None while the broker answers; ``has_topics`` once each contract's topic is there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: AdminClient | None = None
        self.has_topics = False
        self.error: str | None = "it has not been asked yet"

    def look(self) -> None:
        """Ask, and the first time make the topics as their contracts want them, not as a broker would."""
        try:
            if not self.has_topics:
                create_topics(self._settings)
                self.has_topics = True
            self._ask()
        except TidemillError as error:
            self._note(str(error))
        except KafkaException as error:
            self._note(error.args[0].str())
        else:
            self._note(None)

    def _ask(self) -> None:
        if self._admin is None:
            self._admin = AdminClient(client_config(self._settings))
        self._admin.list_topics(timeout=TIMEOUT_S)

    def _note(self, error: str | None) -> None:
        if error is None and self.error is not None:
            logger.info("the broker answers")
        elif error is not None and self.error is None:
            logger.warning("the broker does not answer: %s", error)
        self.error = error
        metrics.broker_up.set(error is None)
