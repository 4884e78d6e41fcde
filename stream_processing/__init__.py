"""Streams into the lake."""
