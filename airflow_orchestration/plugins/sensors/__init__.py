"""One sensor a file."""
