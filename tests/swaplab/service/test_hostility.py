"""Clients that are slow, broken or gone, over raw sockets, at a server whose deadlines are short."""

import socket
import threading
from collections.abc import Iterator

import pytest

from .served import HURRIED, OCTETS, PAGE, Served, header_lines, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(program=HURRIED) as one:
        one.client.put("/v1/stores/s", json={}).raise_for_status()
        yield one
        assert one.client.get("/healthz").status_code == 200, "whatever came, it serves"
        assert one.terminate() == 0


def host(served: Served) -> str:
    return f"Host: localhost:{served.port}"


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: loc"])
def test_headers_that_do_not_come_end_the_connection(served: Served, sent: bytes) -> None:
    assert served.raw(sent).startswith(b"HTTP/1.1 408")


def test_so_does_the_second_request_of_a_connection(served: Served) -> None:
    whole = header_lines("GET /healthz HTTP/1.1", host(served))
    answer = served.raw(whole + b"GET /half")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 408" in answer


def test_a_body_that_does_not_come_is_refused(served: Served) -> None:
    head = header_lines(
        "PUT /v1/stores/s/pages/1 HTTP/1.1",
        host(served),
        "Content-Type: application/octet-stream",
        "Content-Length: 4096",
        "Connection: close",
    )
    assert served.raw(head + PAGE[:100]).startswith(b"HTTP/1.1 408")
    assert served.client.get("/v1/stores/s/pages/1").status_code == 404


def test_headers_without_end_are_refused(served: Served) -> None:
    head = b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 20_000
    assert served.raw(head).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(served: Served, sent: bytes) -> None:
    assert served.raw(sent).split()[1] in (b"400", b"421", b"408", b"505")


def test_two_lengths_or_a_wrong_one_keep_nothing(served: Served) -> None:
    head = ("PUT /v1/stores/s/pages/2 HTTP/1.1", host(served), "Content-Type: application/octet-stream")
    both = header_lines(*head, "Content-Length: 4096", "Transfer-Encoding: chunked", "Connection: close")
    assert served.raw(both + PAGE).startswith(b"HTTP/1.1 400")
    assert served.raw(header_lines(*head, "Content-Length: -1") + PAGE).startswith(b"HTTP/1.1 400")
    assert served.client.get("/v1/stores/s/pages/2").status_code == 404


def test_a_chunked_body_is_bounded_too(served: Served) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield PAGE

    answer = served.client.put("/v1/stores/s/pages/3", content=endless(), headers=OCTETS)
    assert answer.status_code == 413


def test_who_resets_in_mid_stream_disturbs_nobody(served: Served) -> None:
    head = header_lines(
        "PUT /v1/stores/s/folios/0 HTTP/1.1",
        host(served),
        "Content-Type: application/octet-stream",
        "Content-Length: 2097152",
    )
    for _ in range(10):
        connection = socket.create_connection(("127.0.0.1", served.port), 5)
        connection.sendall(head + PAGE * 30)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.close()
    assert served.client.get("/healthz").status_code == 200


def test_pipelined_requests_are_answered_in_order(served: Served) -> None:
    one = header_lines("GET /healthz HTTP/1.1", host(served))
    last = header_lines("GET /nothing HTTP/1.1", host(served), "Connection: close")
    answer = served.raw(one * 5 + last)
    assert answer.count(b"HTTP/1.1 200") == 5
    assert answer.rindex(b"HTTP/1.1 404") > answer.rindex(b"HTTP/1.1 200")


def test_readers_that_take_nothing_are_cut_off(served: Served) -> None:
    served.client.put("/v1/caches/big", json={"max_bytes": 1 << 26}).raise_for_status()
    value = bytes(range(256)) * (1 << 15)
    served.client.put("/v1/caches/big/k", content=value, headers=OCTETS).raise_for_status()
    request = header_lines("GET /v1/caches/big/k HTTP/1.1", host(served))
    connections = []
    for _ in range(5):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", served.port))
        connection.sendall(request)
        connections.append(connection)
    ended = threading.Event()

    def until_cut(connection: socket.socket) -> bool:
        connection.settimeout(20)
        taken = 0
        ended.wait(3.0)
        try:
            while part := connection.recv(1 << 20):
                taken += len(part)
        except ConnectionResetError:
            return True
        return taken < len(value)

    assert until_cut(connections[0])
    assert all(until_cut(connection) for connection in connections[1:2])
    for connection in connections:
        connection.close()
