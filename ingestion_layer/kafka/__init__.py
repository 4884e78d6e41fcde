"""Kafka: the topics of the contracts, and the producer that checks every event and counts every acknowledgement."""
