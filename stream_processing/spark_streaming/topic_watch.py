"""Looks, while a query runs, whether the broker still has the topic that it reads."""

import logging
import threading
import time

from pyspark.sql.streaming.query import StreamingQuery

from data_lake.topic_starts import TopicStart
from ingestion_layer.kafka.identity import topic_identity
from ingestion_layer.kafka.offsets import MissingTopicError
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

POLL_S = 0.5
logger = logging.getLogger(__name__)


def watch(query: StreamingQuery, settings: Settings, begun: TopicStart) -> threading.Thread:
    """Stop ``query`` when its topic is another one than that of ``begun``: its next start says what is wrong.

    Spark knows a topic by its name alone, and goes on in another one where that is long enough.
    """
    thread = threading.Thread(target=_watch, args=(query, settings, begun), name=f"watch {begun.topic}", daemon=True)
    thread.start()
    return thread


def _watch(query: StreamingQuery, settings: Settings, begun: TopicStart) -> None:
    look_at = 0.0
    while query.isActive:
        if time.monotonic() >= look_at:
            if not _is_same(settings, begun):
                logger.error("%s is another topic than the one being read: the query is stopped", begun.topic)
                query.stop()
                return
            look_at = time.monotonic() + settings.stream.topic_watch_s
        time.sleep(POLL_S)


def _is_same(settings: Settings, begun: TopicStart) -> bool:
    """Whether it is; true while nobody can say."""
    try:
        return topic_identity(settings, begun.topic) == begun.identity
    except MissingTopicError:
        return False
    except TidemillError as error:
        logger.warning("%s: %s", begun.topic, error)
        return True
