"""Bronze to silver and quarantine: what a message is, whether its event is new, and both written once."""
