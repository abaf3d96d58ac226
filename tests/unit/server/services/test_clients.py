"""Whom a request comes from."""

import pytest

from server.services.clients import client_of


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:aaaa:bbbb:cccc:dddd", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("/run/rollcall.sock", "unknown"),
        ("192.0.2.7, 192.0.2.8", "unknown"),
        ("\x00", "unknown"),
    ],
)
def test_a_household_is_counted_as_one(address: str, block: str) -> None:
    assert client_of(address, "").block == block


def test_what_a_program_says_of_itself_is_one_short_line() -> None:
    assert client_of("", "Rollcall/1.0\r\nX: y\t\x1b[31m é").words == "Rollcall/1.0 X: y [31m"
    assert len(client_of("", "x" * 9_999).words) == 200
