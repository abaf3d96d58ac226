"""The change log of a centre: dense versions, commitments, one hash chain, and units that are never split.

`commitment = SHA-256(salt || body)`; `hash = SHA-256(previous hash || version || entity || id || operation ||
commitment)`. When a person's data is erased, body and salt go and the commitment stays, so the chain still verifies.
"""

import hashlib
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Annotated, Final

import msgspec

from sync.errors import BrokenChain
from sync.journal import Hash, Int64, Label
from sync.limits import PAGE_CHANGES_MAX, PAYLOAD_BYTES_MAX, RECORD_BODY_BYTES_MAX, UNIT_BYTES_MAX

SALT_BYTES: Final = 16
# What a change weighs on the wire beside its body: ids, salt, numbers and MessagePack headers, rounded up.
CHANGE_OVERHEAD_BYTES: Final = 192

RecordBody = Annotated[bytes, msgspec.Meta(max_length=RECORD_BODY_BYTES_MAX)]
Salt = Annotated[bytes, msgspec.Meta(max_length=SALT_BYTES)]


class Operation(IntEnum):
    """What a change does to its record."""

    PUT = 1
    REMOVE = 2


class Head(msgspec.Struct, gc=False, frozen=True):
    """The end of a centre's log: which life of it (`epoch`, a UUID), its last version (0: empty), its hash."""

    epoch: str
    version: int
    hash: bytes


class ChangeDraft(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """A change before it has a version; `ends_unit` closes the unit that a replica must take as a whole."""

    bucket: str
    entity: str
    entity_id: str
    operation: Operation
    body: bytes
    ends_unit: bool


class Change(msgspec.Struct, gc=False, frozen=True, array_like=True):
    """One row of the log as devices get it. `transaction_last` marks the end of a unit."""

    version: Int64
    bucket: Label
    entity: Label
    entity_id: Label
    operation: Operation
    body: RecordBody
    salt: Salt
    commitment: Hash
    transaction_last: bool


class Numbered(msgspec.Struct, gc=False, frozen=True):
    """A change with the hash of the chain at its version."""

    change: Change
    hash: bytes


def genesis(center_id: str, epoch: str) -> Head:
    """The head of an empty log; bound to its centre and its epoch."""
    material = b"rollcall.change_log.v1\x00" + center_id.encode() + b"\x00" + epoch.encode()
    return Head(epoch, 0, hashlib.sha256(material).digest())


def commitment_of(salt: bytes, body: bytes) -> bytes:
    """SHA-256 over salt and body; says nothing about a body that a reader does not hold."""
    return hashlib.sha256(salt + body).digest()


def next_hash(previous: bytes, change: Change) -> bytes:
    """The hash of the chain at this change: fixed-width numbers, texts with their length before them."""
    entity, entity_id = change.entity.encode(), change.entity_id.encode()
    material = b"".join(
        (
            previous,
            change.version.to_bytes(8, "big"),
            len(entity).to_bytes(2, "big"),
            entity,
            len(entity_id).to_bytes(2, "big"),
            entity_id,
            bytes((change.operation,)),
            change.commitment,
        )
    )
    return hashlib.sha256(material).digest()


def number(head: Head, drafts: Sequence[ChangeDraft], salts: Iterable[bytes]) -> tuple[Head, tuple[Numbered, ...]]:
    """Give drafts the versions that follow `head`; returns the new head and the rows.

    The caller holds the lock on the centre's head, so that commit order is version order. `salts` yields
    `SALT_BYTES` of luck for each draft. The last draft always ends a unit.

    Raises:
        ValueError: a unit is larger than a page, so no replica could take it whole.

    """
    version, digest = head.version, head.hash
    rows: list[Numbered] = []
    for draft, salt in zip(drafts, salts, strict=False):
        version += 1
        change = Change(
            version=version,
            bucket=draft.bucket,
            entity=draft.entity,
            entity_id=draft.entity_id,
            operation=draft.operation,
            body=draft.body,
            salt=salt,
            commitment=commitment_of(salt, draft.body),
            transaction_last=draft.ends_unit or version == head.version + len(drafts),
        )
        digest = next_hash(digest, change)
        rows.append(Numbered(change, digest))
    if len(rows) != len(drafts):
        message = "a salt is missing"
        raise ValueError(message)
    _check_units([row.change for row in rows])
    return Head(head.epoch, version, digest), tuple(rows)


def weight(change: Change) -> int:
    """About how many bytes a change takes in a frame."""
    return len(change.body) + CHANGE_OVERHEAD_BYTES


def _check_units(changes: Sequence[Change]) -> None:
    count = size = 0
    for change in changes:
        count, size = count + 1, size + weight(change)
        if count > PAGE_CHANGES_MAX or size > UNIT_BYTES_MAX:
            message = f"the unit that holds version {change.version} does not fit one page"
            raise ValueError(message)
        if change.transaction_last:
            count = size = 0


def cut_page(changes: Sequence[Change]) -> tuple[Change, ...]:
    """The longest run of whole units from the front that fits one page; empty when there is no whole unit.

    The first unit is taken whatever it weighs: `number` saw to it that it fits a frame.
    """
    end = size = 0
    for index, change in enumerate(changes[:PAGE_CHANGES_MAX], start=1):
        size += weight(change)
        if end and size > PAYLOAD_BYTES_MAX:
            break
        if change.transaction_last:
            end = index
    return tuple(changes[:end])


def check_changes(head: Head, changes: Sequence[Change]) -> Head:
    """Check that changes follow `head` in version and end a unit; returns the head after them.

    Raises:
        BrokenChain: a version is missing, a body is not the one committed to, or half a unit is at the end.

    """
    version, digest = head.version, head.hash
    for change in changes:
        version += 1
        if change.version != version:
            message = f"version {version} is missing"
            raise BrokenChain(message)
        is_erased = not change.salt and not change.body
        if not is_erased and commitment_of(change.salt, change.body) != change.commitment:
            message = f"version {version} has another body than was committed to"
            raise BrokenChain(message)
        digest = next_hash(digest, change)
    if changes and not changes[-1].transaction_last:
        message = f"version {version} is in the middle of a unit"
        raise BrokenChain(message)
    return Head(head.epoch, version, digest)
