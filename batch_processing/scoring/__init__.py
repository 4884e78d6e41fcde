"""Everybody's scores at once: the champion asked about all entities at a time, or about the events of a range."""
