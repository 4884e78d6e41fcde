import pytest

from tidemill.config.errors import ConfigError
from tidemill.web.address import listen_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8085", ("127.0.0.1", 8085)),
        ("http://0.0.0.0:80/", ("0.0.0.0", 80)),  # noqa: S104
        ("http://[::1]:8085", ("::1", 8085)),
    ],
)
def test_a_server_listens_where_its_url_says(url: str, address: tuple[str, int]) -> None:
    assert listen_address("events.url", url) == address


@pytest.mark.parametrize("url", ["https://127.0.0.1:8085", "http://127.0.0.1", "http://127.0.0.1:8085/events"])
def test_what_no_server_listens_at_is_refused_by_the_name_of_its_setting(url: str) -> None:
    with pytest.raises(ConfigError, match=r"events\.url = '.*' must be http://HOST:PORT"):
        listen_address("events.url", url)
