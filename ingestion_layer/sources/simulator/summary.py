"""What was sent, and what the lake must make of it."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ingestion_layer.sources.simulator.deliveries import TOPICS
from ingestion_layer.sources.simulator.faults import REASONS


def summarise(counts: Mapping[str, int]) -> dict[str, Any]:
    """Numbers to hold against the lake, from counts by ``<topic> <kind>``, in all and by topic.

    ``produced``: messages. ``unique_ids``: distinct valid events, the rows of silver. ``duplicates``: valid messages
    beyond those. ``late``: valid events delivered late. ``quarantined``: bad messages by reason. ``faults``: planted
    messages by kind.
    """
    by_topic: dict[str, Counter[str]] = {topic: Counter() for topic in TOPICS}
    for name, count in counts.items():
        topic, kind = name.split(" ")
        by_topic[topic][kind] += count
    total = sum(by_topic.values(), Counter())
    return {**_summary(total), "by_topic": {topic: _summary(kinds) for topic, kinds in by_topic.items()}}


def _summary(kinds: Counter[str]) -> dict[str, Any]:
    faults = {kind: kinds[kind] for kind in sorted(kinds) if kind != "none"}
    quarantined: Counter[str] = Counter()
    for kind, reason in REASONS.items():
        quarantined[reason.value] += kinds[kind]
    return {
        "produced": kinds.total(),
        "unique_ids": kinds["none"] + kinds["late"],
        "duplicates": kinds["duplicate"],
        "late": kinds["late"],
        "quarantined": {reason: count for reason, count in sorted(quarantined.items()) if count},
        "faults": faults,
    }
