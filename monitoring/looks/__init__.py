"""Looks at what models were asked: the log against what they learnt from, on record, as a page, as a request."""
