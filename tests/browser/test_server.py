"""The server answers only to names of this machine: no web page elsewhere may steer it."""

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import App

WEBSOCKET = (
    "GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def connect(port: int, host: str) -> str:
    """The status line of an attempt to open the connection that runs the pages."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(WEBSOCKET.format(host=host).encode())
        return connection.recv(200).partition(b"\r\n")[0].decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_may_connect(app: "App", host: str) -> None:
    assert connect(app.port, f"{host}:{app.port}") == "HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize("host", ["rebound.example", "127.0.0.1.rebound.example", "0.0.0.0"])
def test_a_strangers_name_for_this_machine_is_refused(app: "App", host: str) -> None:
    assert connect(app.port, f"{host}:{app.port}") == "HTTP/1.1 403 Forbidden"
