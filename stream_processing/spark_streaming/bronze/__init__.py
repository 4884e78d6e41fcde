"""Kafka to bronze: every message as it arrived, appended exactly once, all topics in one read."""
