"""One folder a use case."""
