"""Features for a request: states read from the online store and merged at the request's time."""
