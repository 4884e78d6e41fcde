"""Looks, while a query runs, whether the broker still has the topics that it reads."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from pyspark.sql.streaming.query import StreamingQuery

from data_lake.topic_starts import TopicStart
from ingestion_layer.kafka.identity import topic_identities
from tidemill.config.errors import TidemillError
from tidemill.config.settings import Settings

POLL_S = 0.5
logger = logging.getLogger(__name__)
Other = Callable[[str, None], None]


def watch(
    query: StreamingQuery, settings: Settings, begun: Sequence[TopicStart], other: Other | None = None
) -> threading.Thread:
    """Tell ``other`` of each topic of ``query`` that is another one than that of ``begun``; without it stop the query.

    The next start says what is wrong. Spark knows a topic by its name alone, and goes on in another one where that is
    long enough.
    """
    thread = threading.Thread(target=_watch, args=(query, settings, begun, other), name="topic watch", daemon=True)
    thread.start()
    return thread


def _watch(query: StreamingQuery, settings: Settings, begun: Sequence[TopicStart], other: Other | None) -> None:
    look_at, watched = 0.0, list(begun)
    while query.isActive:
        if time.monotonic() >= look_at:
            for start in _others(settings, watched):
                logger.error("%s is another topic than the one being read: it is read no further", start.topic)
                if other is None:
                    query.stop()
                    return
                watched.remove(start)
                other(start.topic, None)
            look_at = time.monotonic() + settings.stream.topic_watch_s
        time.sleep(POLL_S)


def _others(settings: Settings, begun: Sequence[TopicStart]) -> list[TopicStart]:
    """Those whose topic is another one or gone; none while nobody can say."""
    try:
        there = topic_identities(settings, [start.topic for start in begun])
    except TidemillError as error:
        logger.warning("whether topics are still the same: %s", error)
        return []
    return [start for start in begun if there.get(start.topic) != start.identity]
