"""The id that an answer carries, so that whoever got it can be told what the log has of it."""

import re
import uuid

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def accepted_request_id(offered: str | None) -> str:
    """``offered`` when it is a valid request id, else a new one."""
    if offered is not None and REQUEST_ID.fullmatch(offered):
        return offered
    return uuid.uuid4().hex
