"""The same features for Feast's own clients: its repository, and its offline store."""
