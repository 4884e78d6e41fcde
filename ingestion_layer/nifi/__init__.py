"""NiFi as a way in: flows as files, installed over its REST API, and our own processor for them."""
