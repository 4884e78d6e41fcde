import uuid

import pytest


@pytest.fixture
def name() -> str:
    """A use case of this test alone."""
    return f"model-{uuid.uuid4().hex[:8]}"
