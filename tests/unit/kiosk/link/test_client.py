"""Server addresses: what is one, and where its socket is."""

import pytest

from kiosk.link.client import BadAddress, base_url, socket_url


@pytest.mark.parametrize(
    ("typed", "server", "socket"),
    [
        ("https://a.example", "https://a.example", "wss://a.example/api/v1/sync"),
        (" http://127.0.0.1:8000/ ", "http://127.0.0.1:8000", "ws://127.0.0.1:8000/api/v1/sync"),
        ("https://a.example/rollcall/", "https://a.example/rollcall", "wss://a.example/rollcall/api/v1/sync"),
        ("http://[::1]:8000", "http://[::1]:8000", "ws://[::1]:8000/api/v1/sync"),
    ],
)
def test_an_address_has_one_form(typed: str, server: str, socket: str) -> None:
    assert base_url(typed) == server
    assert socket_url(typed) == socket


@pytest.mark.parametrize(
    "typed", ["", "a.example", "ftp://a.example", "http://", "http://a:99999", "http://u:p@a", "http://a?b", "http://["]
)
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(BadAddress):
        base_url(typed)
