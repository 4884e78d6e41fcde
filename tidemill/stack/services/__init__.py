"""One service, or family of services, a file: each exposes ``services(settings)``."""
