"""The journal of a device: dense numbers, a hash chain, signatures; and what became of each entry.

A journal belongs to one (device, incarnation). Its first entry is number 1 and follows the genesis hash of that pair.
`hash = SHA-256(previous_hash || canonical encoding of everything before it)`; the signature is over the hash.
"""

import hashlib
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Annotated, Final

import msgspec

from sync.errors import BrokenChain
from sync.limits import FRAME_BYTES_MAX, INT64_MAX

Int64 = Annotated[int, msgspec.Meta(ge=0, le=INT64_MAX)]
AnyInt64 = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Label = Annotated[str, msgspec.Meta(max_length=64)]
Body = Annotated[bytes, msgspec.Meta(max_length=FRAME_BYTES_MAX)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

Sign = Callable[[bytes], bytes]

_GENESIS_LABEL: Final = b"rollcall.journal.v1\x00"


class Entry(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """One line of a journal. Only its form is checked here; what its body says is judged entry by entry.

    Times: `wall_ms` is the device's wall clock (UTC milliseconds since 1970, whatever it claims), `monotonic_ms` and
    `boot_id` say how long after which start of the machine, `hlc` is `sync.stamps`' hybrid timestamp. `base_epoch`
    and `base_version` are the position in the change log that the device had applied: what the desk knew.
    """

    incarnation: Label
    seq: Annotated[int, msgspec.Meta(ge=1, le=INT64_MAX)]
    event_id: Label
    kind: Label
    body: Body
    hlc: Int64
    wall_ms: AnyInt64
    monotonic_ms: Int64
    boot_id: Label
    base_epoch: Label
    base_version: Int64
    previous_hash: Hash
    hash: Hash
    signature: Signature


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a desk wants to write down; `seal` makes the entry of it."""

    event_id: str
    kind: str
    body: bytes
    hlc: int
    wall_ms: int
    monotonic_ms: int
    boot_id: str
    base_epoch: str
    base_version: int


class JournalHead(msgspec.Struct, gc=False, frozen=True):
    """The end of one journal: its last number (0 when empty) and the hash that the next entry follows."""

    incarnation: str
    seq: int
    hash: bytes


class Outcome(IntEnum):
    """What became of a stored entry. None of them loses it, and none stops the entries behind it."""

    APPLIED = 1
    DUPLICATE = 2
    MERGED = 3
    CONFLICT = 4
    PARKED = 5

    @classmethod
    def _missing_(cls, value: object) -> "Outcome | None":
        """An outcome of a newer server: kept, and for a person to look at."""
        return cls.PARKED if isinstance(value, int) else None


class ParkReason(IntEnum):
    """Why an entry is kept aside until a person has looked at it; 0 means that it is not."""

    NOT_PARKED = 0
    UNKNOWN_KIND = 1
    UNREADABLE = 2
    IMPOSSIBLE_VALUE = 3
    UNKNOWN_REFERENCE = 4
    WRONG_CENTER = 5
    ID_MISMATCH = 6
    DEVICE_NOT_ENTITLED = 7
    TOO_LARGE = 8
    LEASE_EXPIRED = 9
    OTHER = 255

    @classmethod
    def _missing_(cls, value: object) -> "ParkReason | None":
        """A reason of a newer server, whose name this program does not know."""
        return cls.OTHER if isinstance(value, int) else None


# The last reason that protocol 1 has a number for.
PROTOCOL_1_REASON_LAST: Final = ParkReason.TOO_LARGE


class EntryOutcome(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """The server's answer to one entry: the same one on every repeat.

    `version` is the version of the change log at which the fact stands; 0 when it is parked, and for an entry that
    is about the device itself.
    """

    seq: Int64
    event_id: Label
    outcome: Outcome
    reason: ParkReason = ParkReason.NOT_PARKED
    version: Int64 = 0


def genesis(device_id: str, incarnation: str) -> JournalHead:
    """The head of an empty journal; bound to its device, so that two journals can never share a run."""
    material = _GENESIS_LABEL + device_id.encode() + b"\x00" + incarnation.encode()
    return JournalHead(incarnation, 0, hashlib.sha256(material).digest())


def canonical(entry: Entry) -> bytes:
    """What is hashed: the MessagePack array of the eleven fields from `incarnation` to `base_version`, in order.

    MessagePack has one shortest form for each value, and that form is the canonical one.
    """
    fields = (
        entry.incarnation,
        entry.seq,
        entry.event_id,
        entry.kind,
        entry.body,
        entry.hlc,
        entry.wall_ms,
        entry.monotonic_ms,
        entry.boot_id,
        entry.base_epoch,
        entry.base_version,
    )
    return msgspec.msgpack.encode(fields)


def entry_hash(entry: Entry) -> bytes:
    """SHA-256 over the previous hash and the entry's canonical bytes."""
    return hashlib.sha256(entry.previous_hash + canonical(entry)).digest()


def seal(head: JournalHead, draft: Draft, sign: Sign) -> Entry:
    """Make the entry that follows `head`: number it, chain it, sign it."""
    open_entry = Entry(
        incarnation=head.incarnation,
        seq=head.seq + 1,
        event_id=draft.event_id,
        kind=draft.kind,
        body=draft.body,
        hlc=draft.hlc,
        wall_ms=draft.wall_ms,
        monotonic_ms=draft.monotonic_ms,
        boot_id=draft.boot_id,
        base_epoch=draft.base_epoch,
        base_version=draft.base_version,
        previous_hash=head.hash,
        hash=bytes(32),
        signature=bytes(64),
    )
    digest = entry_hash(open_entry)
    return msgspec.structs.replace(open_entry, hash=digest, signature=sign(digest))


def head_after(entry: Entry) -> JournalHead:
    """The head of the journal that ends with this entry."""
    return JournalHead(entry.incarnation, entry.seq, entry.hash)


def check_run(entries: Sequence[Entry]) -> None:
    """Check that entries follow each other in number and hash, and that each hash is right.

    Raises:
        BrokenChain: at the first entry that does not follow.

    """
    previous: Entry | None = None
    for entry in entries:
        if entry_hash(entry) != entry.hash:
            message = f"the hash of entry {entry.seq} is not that of its content"
            raise BrokenChain(message)
        if previous is not None and not _follows(previous, entry):
            message = f"entry {entry.seq} does not follow entry {previous.seq}"
            raise BrokenChain(message)
        previous = entry


def _follows(previous: Entry, entry: Entry) -> bool:
    return (
        entry.seq == previous.seq + 1
        and entry.previous_hash == previous.hash
        and entry.incarnation == previous.incarnation
    )


class RunVerdict(msgspec.Struct, frozen=True):
    """How a run of entries meets what is stored: the part that repeats, the part that is new."""

    repeated: tuple[Entry, ...]
    fresh: tuple[Entry, ...]


class Hole(BrokenChain):
    """The run begins beyond the next number: entries in between are missing and must be sent first."""


class Fork(BrokenChain):
    """The same number with another hash: two journals grew from one (a restored backup, a cloned device)."""


def judge_run(stored: JournalHead, hash_at: Callable[[int], bytes | None], entries: Sequence[Entry]) -> RunVerdict:
    """Split a pushed run into repeats and new entries.

    `hash_at(seq)` gives the stored hash of an entry of this journal. The run itself is checked first, so one equal
    hash proves all the entries before it.

    Raises:
        BrokenChain: the run is not a chain, or its incarnation is not the stored journal's.
        Hole: it starts beyond the next number wanted.
        Fork: it contradicts what is stored.

    """
    check_run(entries)
    if not entries:
        return RunVerdict((), ())
    if entries[0].incarnation != stored.incarnation:
        message = "the run belongs to another incarnation"
        raise BrokenChain(message)
    if entries[0].seq > stored.seq + 1:
        message = f"entry {stored.seq + 1} is missing"
        raise Hole(message)
    split = stored.seq - entries[0].seq + 1
    repeated, fresh = tuple(entries[:split]), tuple(entries[split:])
    if repeated and hash_at(repeated[-1].seq) != repeated[-1].hash:
        message = f"entry {repeated[-1].seq} is stored with another hash"
        raise Fork(message)
    if fresh and fresh[0].previous_hash != stored.hash:
        message = f"entry {fresh[0].seq} follows another entry {stored.seq}"
        raise Fork(message)
    return RunVerdict(repeated, fresh)
