import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tidemill.stack.machine import ports
from tidemill.stack.machine.ports import PortInUseError, check_free, free_ports
from tidemill.stack.service import Endpoint


def test_free_ports_differ_and_can_be_listened_on() -> None:
    found = free_ports(20)
    assert len(set(found)) == 20
    check_free("any", [Endpoint("127.0.0.1", port, "any.port") for port in found])


def test_another_process_gets_other_ports_while_this_one_lives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "PORTS", range(31_900, 31_980))
    monkeypatch.setattr(ports, "RESERVED", tmp_path)
    mine = free_ports(30)
    setting = f"ports.PORTS = range(31_900, 31_980); ports.RESERVED = Path({str(tmp_path)!r})"
    ask = f"from pathlib import Path; from tidemill.stack.machine import ports; {setting}; print(*ports.free_ports(30))"
    others = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert not {*mine} & {*map(int, others)}


def test_when_all_are_taken_it_says_among_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ports, "PORTS", range(31_900, 31_903))
    monkeypatch.setattr(ports, "RESERVED", tmp_path)
    with pytest.raises(PortInUseError, match=r"no 4 ports are free from 31900 to 31902"):
        free_ports(4)


def test_a_busy_port_is_refused_naming_its_holder_and_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUseError) as caught:
            check_free("redis", [Endpoint("127.0.0.1", port, "redis.port")])
    message = str(caught.value)
    assert f"redis cannot start: 127.0.0.1:{port} is already in use by process {os.getpid()} " in message
    assert "TIDEMILL_REDIS__PORT" in message
    assert "\n" not in message


def test_a_port_that_was_just_closed_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address), server.accept()[0]:
            pass
    check_free("any", [Endpoint(address[0], address[1], "any.port")])


@pytest.fixture
def ipv6() -> None:
    """This machine has the loopback address of IPv6."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.mark.usefixtures("ipv6")
def test_an_address_of_ipv6_is_free_until_something_listens_on_it() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        taken = Endpoint("::1", server.getsockname()[1], "redis.port")
        with pytest.raises(PortInUseError, match=rf"\[::1\]:{taken.port} is already in use by process {os.getpid()} "):
            check_free("redis", [taken])
    check_free("redis", [taken])


def test_an_address_that_is_not_this_machines_is_not_said_to_be_in_use() -> None:
    with pytest.raises(PortInUseError) as caught:
        check_free("redis", [Endpoint("192.0.2.1", 6379, "redis.port")])
    assert str(caught.value) == (
        "redis cannot start: it could not listen on 192.0.2.1:6379: Cannot assign requested address; "
        "choose another address with TIDEMILL_REDIS__PORT"
    )
