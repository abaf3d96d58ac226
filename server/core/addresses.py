"""To which addresses the server lets people send something: a guard against request forgery (OWASP API7:2023).

Whoever may name an address could make the server knock at doors that only it can reach: the database beside it, the
metadata of a cloud. So a name is resolved, each address judged, and the connection made to the one that was judged.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from server.core.errors import InvalidInput

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST_CHARACTERS_MAX: Final = 253  # RFC 1035 section 2.3.4
_VISIBLE_ASCII: Final = range(0x21, 0x7F)
# An IPv4 address within an IPv6 one: what a translator or a tunnel would make of it (RFC 6052, 8215, 3056, 4291).
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is to be sent; `address` is set when the host was written as one."""

    url: str
    is_secure: bool
    host: str
    address: IpAddress | None


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the internet: neither of this machine or network, nor multicast or reserved."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64_LOCAL or ((within := _inner(address)) is not None and not is_public(within)):
            return False
        if address.is_site_local or address.scope_id is not None:
            return False
    return address.is_global and not (address.is_multicast or (address.is_reserved and not _is_nat64(address)))


def _is_nat64(address: IpAddress) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and address in _NAT64


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def is_loopback(address: IpAddress) -> bool:
    """Whether an address is this machine."""
    within = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    return address.is_loopback or (within is not None and within.is_loopback)


def may_reach(address: IpAddress, *, private: bool) -> bool:
    """Whether something may be sent to an address: one of the internet, or with `private` also one of a network.

    Nobody is behind the unspecified address, a multicast one, or one of a link, where clouds keep their metadata.
    """
    if is_public(address):
        return True
    within = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    asked = (address,) if within is None or is_loopback(address) else (address, within)
    return private and not any(_is_nobody(one) for one in asked)


def _is_nobody(address: IpAddress) -> bool:
    is_broadcast = isinstance(address, ipaddress.IPv4Address) and address.is_reserved
    return address.is_unspecified or address.is_multicast or address.is_link_local or is_broadcast


def read_target(url: str, *, private: bool) -> Target:
    """Read where something is to be sent: https to a host of the internet, without name and password in it.

    With `private` hosts of one's own network are good too, and plain http to this machine.

    Raises:
        InvalidInput: it is none, or may not be used; the message never repeats it.

    """
    if not all(ord(character) in _VISIBLE_ASCII for character in url) or "\\" in url:
        raise InvalidInput("An address has visible ASCII characters; write other hosts in Punycode")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise InvalidInput("This is no address") from None
    if parts.scheme not in ("https", "http") or not 0 < len(host) <= HOST_CHARACTERS_MAX or port == 0:
        raise InvalidInput("An address looks like https://host.example.org/path")
    if parts.username is not None or parts.password is not None or "#" in url:
        raise InvalidInput("An address holds no name, no password and no fragment")
    address = _literal(host)
    is_here = host == "localhost" or (address is not None and is_loopback(address))
    if parts.scheme == "http" and not (private and is_here):
        raise InvalidInput("An address begins with https://")
    if (host == "localhost" and not private) or (address is not None and not may_reach(address, private=private)):
        raise InvalidInput("This host is none of the internet")
    return Target(url, parts.scheme == "https", host, address)


def _literal(host: str) -> IpAddress | None:
    """The address that a host is written as; the short forms that some resolvers read are refused.

    Raises InvalidInput for a name whose last part is a number: no name of the internet ends so (RFC 3696).
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if last.isdigit() or last.startswith("0x"):
            raise InvalidInput("Write an address as four numbers, such as 203.0.113.7") from None
        return None
