"""Watches what a model is asked and what it answers: profiles, drift, and quality before labels come."""
