"""What needs event time within seconds: sessions and patterns, found by Flink in SQL, sent back to Kafka as events."""
