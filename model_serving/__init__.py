"""The model server: features, a champion and a score behind REST; every answer is logged to Kafka."""
