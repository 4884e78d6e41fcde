"""Hooks, operators, sensors and triggers; ``tidemill_plugin`` is the one file Airflow loads as a plugin."""
