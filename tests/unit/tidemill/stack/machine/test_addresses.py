import pytest

from tidemill.stack.machine.addresses import AddressError, endpoint, first_endpoint


@pytest.mark.parametrize(
    ("value", "host", "port"),
    [
        pytest.param("127.0.0.1:9092", "127.0.0.1", 9092, id="host and port"),
        pytest.param("http://127.0.0.1:5000", "127.0.0.1", 5000, id="URL"),
        pytest.param("http://localhost:8080/airflow", "localhost", 8080, id="URL with a path"),
        pytest.param("https://mlflow.example.org", "mlflow.example.org", 443, id="URL with its scheme's port"),
        pytest.param("[::1]:9092", "::1", 9092, id="IPv6"),
    ],
)
def test_an_address_is_read(value: str, host: str, port: int) -> None:
    found = endpoint(value, "section.key")
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize("value", ["", "127.0.0.1", "127.0.0.1:none", "127.0.0.1:70000", "tcp://127.0.0.1", ":9092"])
def test_what_is_no_address_is_refused_with_the_name_of_its_setting(value: str) -> None:
    with pytest.raises(AddressError, match=r"section\.key"):
        endpoint(value, "section.key")


def test_the_first_of_several_brokers_is_taken() -> None:
    assert str(first_endpoint("kafka-1:9092, kafka-2:9093", "kafka.bootstrap_servers")) == "kafka-1:9092"
