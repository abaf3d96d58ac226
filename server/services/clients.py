"""What is known of the program that asks: where from, and what it says it is."""

import ipaddress
from dataclasses import dataclass
from typing import Final

from server.models.sessions import CLIENT_WORDS_MAX

NOWHERE: Final = "unknown"
# A household or an office gets this much of IPv6 at least (RFC 6177), and may use all of it.
_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class Client:
    """Whom a request comes from: an address block that limits count by, and words for the list of sessions."""

    block: str = NOWHERE
    words: str = ""


def client_of(address: str, user_agent: str) -> Client:
    """Describe a client by its address, as text, and its User-Agent, whatever they hold."""
    return Client(_block(address), _words(user_agent))


def _block(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NOWHERE
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _IPV6_PREFIX), strict=False))


def _words(user_agent: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isprintable() else " " for letter in user_agent)
    return " ".join(plain.split())[:CLIENT_WORDS_MAX]
