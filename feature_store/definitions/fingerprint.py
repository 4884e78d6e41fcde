"""A hash of meaning: of canonical JSON, so formatting, docs and key order do not enter."""

import hashlib
import json
from typing import Any

MEANING = 2
"""Raised when the engines come to understand the same definition differently."""


def fingerprint(meaning: dict[str, Any]) -> str:
    """32 hexadecimal digits; what is stored under one fingerprint is never read under another."""
    text = json.dumps({"meaning": MEANING, **meaning}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
