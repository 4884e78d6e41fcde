"""How events enter the platform."""
