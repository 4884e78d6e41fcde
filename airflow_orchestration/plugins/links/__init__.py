"""Buttons that open another system on what a task made."""
