"""Projects of users beside the platform: made, checked and tested without a server."""
