"""The chain of audit entries: each carries a hash over itself and the one before, so that no row changes unnoticed.

    SHA-256(previous || chain || number || at || actor || verb || entity || id || part || route || request)

each value with its length, as MessagePack writes an array of them. It begins after `GENESIS`, with number 1.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import msgspec

GENESIS: Final = b""
OF_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""The chain of what belongs to no organisation: log-ins that failed for an address without an account."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who (`actor`) did what to which thing, when (UTC microseconds since 1970), by which route and request."""

    chain_id: str
    seq: int
    at_us: int
    actor: str
    verb: str
    entity: str
    entity_id: str
    part: str
    route: str
    request_id: str


def next_hash(previous: bytes, entry: AuditEntry) -> bytes:
    """Give the hash of an entry that follows one with the hash `previous`."""
    fields = (
        previous, entry.chain_id, entry.seq, entry.at_us, entry.actor, entry.verb, entry.entity, entry.entity_id,
        entry.part, entry.route, entry.request_id,
    )  # fmt: skip
    return hashlib.sha256(msgspec.msgpack.encode(fields)).digest()
