"""Bytes of the sync protocol as docs/protocol.md describes them, read a second time and with no code of ours."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NONE_STAGED = ["", 0, 0, 0]
# Each message by its tag: names of its fields, and the defaults of those at the end that may be missing.
MESSAGES: dict[int, tuple[str, str, tuple[Any, ...]]] = {
    1: (
        "Hello",
        """protocol_min protocol_max app_version schema_version incarnation epoch version hash journal_seq journal_hash
        queue_depth wall_ms monotonic_ms older digests staged""",
        ([], [], NONE_STAGED),
    ),
    2: (
        "Welcome",
        """protocol epoch head_version plan stored_seq stored_hash heartbeat_interval_ms push_entries_max server_wall_ms
        echo_monotonic_ms older lease_ms differing""",
        ([], 0, []),
    ),
    3: ("Push", "entries", ()),
    4: ("PushStored", "through_seq hash outcomes", ([],)),
    5: ("SnapshotPart", "epoch version hash part parts records bucket digests", ("", [])),
    6: ("Page", "epoch after_version to_version to_hash head_version changes digests", ([],)),
    7: ("Applied", "epoch version snapshot_part queue_depth", (0, 0)),
    8: ("Heartbeat", "version queue_depth monotonic_ms wall_ms echo_monotonic_ms held_ms", (0, 0, 0, 0, 0)),
    9: ("Advice", "kind delay_ms", ()),
    10: ("Challenge", "nonce", ()),
    11: ("Proof", "nonce signature", ()),
    12: ("RepairRequest", "bucket", ()),
    13: ("ForkFound", "incarnation seq", ()),
}
_TAGS = {name: tag for tag, (name, _, _) in MESSAGES.items()}


def pack(name: str, **fields: Any) -> bytes:
    """One frame."""
    tag = _TAGS[name]
    names = MESSAGES[tag][1].split()
    return msgspec.msgpack.encode([tag, *(fields.pop(each) for each in names if each in fields)])


def unpack(frame: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a message and its fields; what is behind the last known field is ignored."""
    tag, *values = msgspec.msgpack.decode(frame)
    name, names, defaults = MESSAGES[tag]
    known = names.split()
    missing = max(0, len(known) - len(values))
    values += defaults[len(defaults) - missing :] if missing else []
    return name, dict(zip(known, values, strict=False))


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over joined bytes."""
    return hashlib.sha256(b"".join(parts)).digest()


# -- the journal


@dataclass
class Entry:
    """A line of a journal: the eleven fields that are hashed, and what seals them."""

    fields: list[Any]
    previous_hash: bytes
    hash: bytes
    signature: bytes
    outcome: list[Any] | None = None

    @property
    def seq(self) -> int:
        """Its number."""
        return int(self.fields[1])

    @property
    def event_id(self) -> str:
        """Its event."""
        return str(self.fields[2])

    def on_the_wire(self) -> list[Any]:
        """The array inside a push."""
        return [*self.fields, self.previous_hash, self.hash, self.signature]


@dataclass
class Journal:
    """The entries of one incarnation, from number 1."""

    device_id: str
    incarnation: str
    entries: list[Entry] = field(default_factory=list)

    @property
    def end(self) -> tuple[int, bytes]:
        """Number and hash of the last entry."""
        if self.entries:
            return self.entries[-1].seq, self.entries[-1].hash
        label = b"rollcall.journal.v1\0"
        return 0, sha256(label, self.device_id.encode(), b"\0", self.incarnation.encode())

    @property
    def settled_seq(self) -> int:
        """The last entry such that it and all before it have an outcome."""
        waiting = (entry.seq for entry in self.entries if entry.outcome is None)
        return next(waiting, self.end[0] + 1) - 1

    def append(self, key: Ed25519PrivateKey, said: list[Any]) -> Entry:
        """Seal what follows `seq` in an entry: event_id, kind, body, hlc, ..., base_version."""
        seq, previous = self.end
        fields = [self.incarnation, seq + 1, *said]
        digest = sha256(previous, msgspec.msgpack.encode(fields))
        entry = Entry(fields, previous, digest, key.sign(digest))
        self.entries.append(entry)
        return entry


# -- the replica


@dataclass(frozen=True)
class Record:
    """A record as it stands."""

    bucket: str
    version: int
    body: bytes
    commitment: bytes


Key = tuple[str, str]


def check_commitment(salt: bytes, body: bytes, commitment: bytes) -> None:
    """A body is the one that was committed to, unless it was erased."""
    if (salt or body) and sha256(salt, body) != commitment:
        raise ValueError("another body than was committed to")


def after_change(previous: bytes, change: list[Any]) -> bytes:
    """The hash of the chain at a change."""
    version, _, entity, entity_id, operation, _, _, commitment, _ = change
    kind, name = entity.encode(), entity_id.encode()
    lengths = len(kind).to_bytes(2, "big"), len(name).to_bytes(2, "big")
    at = int(version).to_bytes(8, "big")
    return sha256(previous, at, lengths[0], kind, lengths[1], name, bytes([operation]), commitment)


def digests(records: Mapping[Key, Record]) -> dict[str, bytes]:
    """The digest of each bucket that holds a record."""
    totals: dict[str, int] = {}
    for (entity, entity_id), record in records.items():
        line = f"{entity}\0{entity_id}\0{record.version}\0".encode()
        number = int.from_bytes(sha256(line, record.commitment), "big")
        totals[record.bucket] = (totals.get(record.bucket, 0) + number) % 2**256
    return {bucket: total.to_bytes(32, "big") for bucket, total in totals.items()}


def differing(records: Mapping[Key, Record], told: Iterable[list[Any]]) -> list[str]:
    """The buckets that are not what was told."""
    found = digests(records)
    return [bucket for bucket, digest in told if found.get(bucket, bytes(32)) != digest]
