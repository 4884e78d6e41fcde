"""Spark Structured Streaming: Kafka to bronze, bronze to silver and quarantine, each event exactly once."""
