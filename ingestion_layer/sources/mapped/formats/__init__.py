"""One file a format: each reads a file into chunks of bounded size, from a row on."""
