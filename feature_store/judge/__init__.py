"""Features computed once more from the lake's files, in SQL by DuckDB, to judge what was answered.

Nothing here is shared with the engines that answer: not the change feed, not the kernel, not the tiles, not the code of
windows. It is written from the sentences of docs/windows.md.
"""
