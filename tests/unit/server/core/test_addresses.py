"""Where the server lets people send something."""

import ipaddress

import pytest

from server.core.addresses import is_public, may_reach, read_target
from server.core.errors import InvalidInput

PUBLIC = ("8.8.8.8", "198.17.255.255", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1")
PRIVATE = (
    "127.0.0.1", "127.255.0.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1",
    "::1", "fc00::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2001:0:808:808::f5ff:fffe", "::127.0.0.1", "2001:db8::1",
)  # fmt: skip
NOBODYS = (
    "0.0.0.0", "::", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "fe80::1%eth0",
    "224.0.0.1", "ff02::1", "255.255.255.255",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_of_the_internet_may_be_reached(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert is_public(address)
    assert may_reach(address, private=False)


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_of_a_network_may_be_reached_only_by_the_setting(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not is_public(address)
    assert not may_reach(address, private=False)
    assert may_reach(address, private=True)


@pytest.mark.parametrize("text", NOBODYS)
def test_addresses_of_links_and_of_nobody_are_never_reached(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert not may_reach(address, private=False)
    assert not may_reach(address, private=True)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.org/a?b=c", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/", "https://x--n.org"],
)
def test_a_host_of_the_internet_is_a_good_target(url: str) -> None:
    assert read_target(url, private=False).url == url


@pytest.mark.parametrize(
    "url",
    [
        "", "hooks.example.org", "ftp://hooks.example.org/", "http://hooks.example.org/", "https:///path", "https://",
        "https://user:secret@hooks.example.org/", "https://@hooks.example.org/", "https://hooks.example.org/#part",
        "https://hooks.example.org:0/", "https://hooks.example.org:99999/", "https://hooks.example.org/ä",
        "https://hooks.example.org/\r\nX: y", "https://hooks.example.org\\@127.0.0.1/", "https://127.0.0.1/",
        "https://localhost/", "https://LOCALHOST./", "https://2130706433/", "https://127.1/", "https://0x7f.0x1/",
        "https://[::1]/", "https://[fe80::1%25eth0]/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/",
        "http://127.0.0.1/", f"https://{'a' * 254}.org/", "https://exa\tmple.org/", "https://[1::2::3]/",
    ],
)  # fmt: skip
def test_what_is_no_good_target_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_target(url, private=False)
    assert "secret" not in refused.value.detail


def test_the_setting_lets_loopback_be_named_over_http_and_the_network_over_https() -> None:
    for url in ("http://127.0.0.1:9000/", "http://[::1]/", "http://localhost/", "https://10.0.0.1/"):
        assert read_target(url, private=True).url == url
    for url in ("http://10.0.0.1/", "http://hooks.example.org/", "https://169.254.169.254/", "https://0.0.0.0/"):
        with pytest.raises(InvalidInput):
            read_target(url, private=True)
