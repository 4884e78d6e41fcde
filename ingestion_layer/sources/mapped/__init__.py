"""Rows of others to events of a contract, by a mapping file: of files, tables, drop folders and polled pages."""
