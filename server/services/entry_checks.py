"""Whether an entry of a journal is still what its device signed, looked at alone: with the entry before it at most.

`rollcall-server verify` goes through whole journals; this tells of one entry what a person with a print of it asks.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from server.core.signatures import is_signed
from server.repositories.stay_evidence import StoredEntry, StoredEvent
from server.services.verification_journals import content_hash
from sync.attendance import Fact
from sync.evidence import GENESIS, journal_evidence
from sync.intake import WITNESSED_KIND
from sync.journal import genesis
from sync.records import EventRecord

_RECORD: Final = msgspec.json.Decoder(EventRecord)


@dataclass(frozen=True, slots=True)
class EntryChecks:
    """What was found; None: it cannot be checked, since the key or the value to compare with is not there.

    `hash_matches`: the stored hash is that of the content. `follows`: the previous hash is that of the entry before.
    `signature_verifies`: the device's key signed this content. `evidence_matches`: outcome and time of arrival are
    what the server stored. `says_the_same`: the fact that counts is what was signed. Of an entry that an erasure
    emptied nobody can tell what was signed, only that this hash was.
    """

    hash_matches: bool | None
    follows: bool | None
    signature_verifies: bool | None
    evidence_matches: bool | None
    says_the_same: bool | None

    @property
    def is_sound(self) -> bool:
        """Whether the entry proves the fact: signed, unaltered, and nothing contradicts it."""
        holds = self.hash_matches is True and self.signature_verifies is True and self.says_the_same is True
        return holds and self.follows is not False and self.evidence_matches is not False


def check_entry(stored: StoredEntry, fact: Fact, event: StoredEvent | None) -> EntryChecks:
    """Compare an entry with what it says of itself, with the entry before it, and with the fact that it tells."""
    entry = stored.entry
    is_emptied = not entry.body  # no device writes such a fact; `verify` asks the register
    content = entry.hash if is_emptied else content_hash(entry)
    signs = stored.public_key is not None and content is not None
    return EntryChecks(
        hash_matches=None if is_emptied else content == entry.hash,
        follows=_follows(stored),
        signature_verifies=(
            None
            if stored.public_key is None
            else signs and is_signed(stored.public_key, entry.signature, content or b"")
        ),
        evidence_matches=_evidence_matches(stored),
        says_the_same=None if is_emptied else event is not None and _says(stored, fact, event),
    )


def told_body(stored: StoredEntry) -> bytes | None:
    """The bytes of the event that an entry tells; None when a witness's entry cannot be read."""
    if stored.entry.kind != WITNESSED_KIND:
        return stored.entry.body
    record = _witnessed(stored)
    return None if record is None else bytes(record.event)


def _follows(stored: StoredEntry) -> bool | None:
    entry = stored.entry
    if entry.seq == 1:
        return entry.previous_hash == genesis(stored.device_id, entry.incarnation).hash
    return None if stored.before_hash is None else entry.previous_hash == stored.before_hash


def _evidence_matches(stored: StoredEntry) -> bool | None:
    """An entry that was stored by a server of an earlier release has no evidence beside it, and none is missed."""
    before = GENESIS if stored.entry.seq == 1 else stored.before_evidence
    if not stored.evidence or before is None or (not before and stored.entry.seq > 1):
        return None
    found = journal_evidence(
        before,
        stored.entry.hash,
        stored.entry.signature,
        outcome=stored.outcome,
        reason=stored.reason,
        version=stored.version,
        received_at_us=stored.received_at_us,
    )
    return found == stored.evidence


def _says(stored: StoredEntry, fact: Fact, event: StoredEvent) -> bool:
    """Whether the entry tells this fact; `event` holds the bytes that count."""
    entry = stored.entry
    if entry.event_id != fact.event.event_id:
        return False
    if entry.kind != WITNESSED_KIND:
        place = (stored.device_id, entry.incarnation, entry.seq, entry.hlc)
        return entry.body == event.body and place == (fact.device_id, fact.incarnation, fact.seq, fact.hlc)
    record = _witnessed(stored)
    if record is None:
        return False
    place = (record.device_id, record.incarnation, record.seq, record.hlc)
    return bytes(record.event) == event.body and place == (fact.device_id, fact.incarnation, fact.seq, fact.hlc)


def _witnessed(stored: StoredEntry) -> EventRecord | None:
    try:
        return _RECORD.decode(stored.entry.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
