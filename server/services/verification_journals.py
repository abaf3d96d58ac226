"""Checks a device's journal entry by entry: chain, signature, evidence, and that its outcome is what the log says."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from server.core.signatures import is_signed
from server.core.signed_heads import Pin, PinCheck
from server.repositories.verification_journals import EntryRow, IncidentPair, JournalRow
from server.services.verification_log import Finding
from sync.evidence import GENESIS, journal_evidence
from sync.incidents import INCIDENT_KIND, decode_incident
from sync.intake import WITNESSED_KIND
from sync.journal import Entry, Outcome, ParkReason, entry_hash, genesis
from sync.records import Entity, EventRecord

_EVENT_RECORD: Final = msgspec.json.Decoder(EventRecord)
_OUTCOMES: Final = frozenset(int(outcome) for outcome in Outcome)
_REASONS: Final = frozenset(int(reason) for reason in ParkReason)


class JournalCheck:
    """Takes the entries of one journal in order; each answer is what is wrong first, or None."""

    def __init__(self, journal: JournalRow, pins: Sequence[Pin] = ()) -> None:
        """Begin before the first entry; `pins` is what was signed of it."""
        self._signed = PinCheck(pins)
        self._journal = journal
        self._seq = 0
        self._hash = genesis(journal.device_id, journal.incarnation).hash
        self._evidence = GENESIS
        self._unmarked = 0

    def take(self, row: EntryRow) -> Finding | None:
        """Check the next entry."""
        entry = row.entry
        if entry.seq != self._seq + 1:
            return self._wrong(self._seq + 1, "the row is missing")
        self._seq = entry.seq
        if entry.previous_hash != self._hash:
            return self._wrong(entry.seq, "`previous_hash` is not that of the entry before")
        # Of one that was erased nobody can tell the content any more; chain, signature and evidence hold its hash.
        if not row.is_erased and content_hash(entry) != entry.hash:
            return self._wrong(entry.seq, "`hash` is not that of what the device wrote")
        self._hash = entry.hash
        return self._take_evidence(row) or self._check_signature(entry) or self._check_outcome(row)

    def finish(self) -> Finding | None:
        """Compare the end of the journal with what its row says."""
        journal = self._journal
        if self._seq < journal.last_seq:
            return self._wrong(self._seq + 1, "the row is missing")
        if what := self._signed.finish(self._seq):
            return self._wrong(self._seq + 1, what)
        if self._seq > journal.last_seq:
            return self._wrong_end("last_seq", f"the journal goes on to entry {self._seq}")
        if self._hash != journal.last_hash:
            return self._wrong_end("last_hash", "it is not that of the last entry")
        if not 0 <= journal.evidence_seq <= journal.last_seq:
            return self._wrong_end("evidence_seq", "it lies outside the journal")
        if not journal.evidence_seq and journal.evidence != GENESIS:
            return self._wrong_end("evidence", "it is not that of the entries")
        return None

    def _take_evidence(self, row: EntryRow) -> Finding | None:
        entry = row.entry
        if entry.seq > self._journal.evidence_seq:
            return None
        self._evidence = journal_evidence(
            self._evidence,
            entry.hash,
            entry.signature,
            outcome=row.outcome,
            reason=row.reason,
            version=row.version,
            received_at_us=row.received_at_us,
        )
        covered = "`outcome`, `reason`, `version`, `received_at` or `evidence`"
        if row.evidence and row.evidence != self._evidence:
            return self._wrong(entry.seq, f"{covered} was changed")
        self._unmarked += not row.evidence
        if what := self._signed.take(entry.seq, self._evidence):
            return self._wrong(entry.seq, what)
        if entry.seq == self._journal.evidence_seq and self._evidence != self._journal.evidence:
            if self._unmarked:
                return self._wrong(entry.seq, f"here or before, {covered} was changed")
            return self._wrong_end("evidence", "it is not that of the entries")
        return None

    def _check_signature(self, entry: Entry) -> Finding | None:
        """A signature that the evidence vouches for and the key does not is an argument against the key."""
        device_id, key = self._journal.device_id, self._journal.public_key
        if key is None:
            return Finding("device", device_id, "the row is missing: its entries cannot be checked")
        if is_signed(key, entry.signature, entry.hash):
            return None
        if entry.seq <= self._journal.evidence_seq and not self._unmarked:
            return Finding("device", device_id, f"`public_key`: it did not sign entry {entry.seq}")
        return self._wrong(entry.seq, "`signature` is not this device's")

    def _check_outcome(self, row: EntryRow) -> Finding | None:
        if row.entry.kind == INCIDENT_KIND and row.outcome == Outcome.APPLIED and not row.has_incident:
            return Finding("device_incident", row.entry.event_id, "the row is missing")
        what = _what_is_wrong(row, self._journal.device_id)
        return None if what is None else self._wrong(row.entry.seq, what)

    def _wrong(self, seq: int, what: str) -> Finding:
        return Finding("journal_entry", f"{self._journal.device_id} {self._journal.incarnation} {seq}", what)

    def _wrong_end(self, column: str, what: str) -> Finding:
        return Finding(
            "device_journal", f"{self._journal.device_id} {self._journal.incarnation}", f"`{column}`: {what}"
        )


def _what_is_wrong(row: EntryRow, device_id: str) -> str | None:
    if row.outcome not in _OUTCOMES or row.reason not in _REASONS:
        return "`outcome` or `reason` is none"
    outcome = Outcome(row.outcome)
    if (outcome is Outcome.PARKED) != (row.reason != ParkReason.NOT_PARKED):
        return "`outcome` and `reason` contradict each other"
    if outcome is Outcome.PARKED:
        return "`version`: a parked entry has none" if row.version else None
    if row.entry.kind == INCIDENT_KIND:
        return "`version`: an incident has none" if row.version else None
    if row.log_entity != Entity.EVENT or row.log_entity_id != row.entry.event_id:
        return f"`version`: version {row.version} of the log is another record"
    if outcome is Outcome.DUPLICATE or row.is_erased:
        return None
    try:
        record = _EVENT_RECORD.decode(row.log_body)
        expected = _expected_record(row, device_id)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"version {row.version} of the log cannot be read as the event of this entry"
    actual: dict[str, Any] = {name: getattr(record, name) for name in expected}
    different = [name for name, value in expected.items() if _bytes_of(actual[name]) != _bytes_of(value)]
    if different:
        return f"version {row.version} of the log has another {', '.join(different)}"
    return None


def _expected_record(row: EntryRow, device_id: str) -> dict[str, Any]:
    """What the log's record must say when this entry is what brought it there."""
    entry, outcome = row.entry, Outcome(row.outcome).name.lower()
    if entry.kind == WITNESSED_KIND:
        seen = _EVENT_RECORD.decode(entry.body)
        names = ("event", "device_id", "device_name", "incarnation", "seq", "hlc")
        return {name: getattr(seen, name) for name in names} | {"outcome": outcome, "witnessed_by": device_id}
    return {
        "event": entry.body,
        "device_id": device_id,
        "incarnation": entry.incarnation,
        "seq": entry.seq,
        "hlc": entry.hlc,
        "received_at_ms": row.received_at_us // 1_000,
        "outcome": outcome,
        "witnessed_by": "",
    }


class IncidentCheck:
    """Takes incidents as they are kept, each beside every entry that told it: one of them must be what is kept.

    A device tells an incident again when its journal forked; the first that arrived is the one that is kept.
    """

    def __init__(self) -> None:
        """Know none yet."""
        self._pair: IncidentPair | None = None
        self._different: list[str] = []

    def take(self, pair: IncidentPair) -> Finding | None:
        """Check the next pair; what is wrong with an incident is said when the next one begins."""
        found = None
        if self._pair is None or self._pair.event_id != pair.event_id:
            found = self.finish()
            self._pair, self._different = pair, _differences(pair)
        elif self._different:
            self._different = _differences(pair)
        return found

    def finish(self) -> Finding | None:
        """Say what is wrong with the last incident."""
        if self._pair is None or not self._different:
            return None
        columns = ", ".join(f"`{name}`" for name in self._different)
        return Finding("device_incident", self._pair.event_id, f"{columns}: its device told another value")


def _differences(pair: IncidentPair) -> list[str]:
    try:
        told = decode_incident(pair.entry_body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []  # the check of the journal names the entry
    expected: dict[str, Any] = {
        "device_id": pair.entry_device_id,
        "incident": told.incident.value,
        "detail": told.detail,
        "occurred_at": told.occurred_at_ms * 1_000,
        "received_at": pair.entry_received_at,
    }
    kept = {name: getattr(pair, name) for name in expected} | {"detail": msgspec.json.decode(pair.detail)}
    return [name for name, value in expected.items() if kept[name] != value]


def _bytes_of(value: Any) -> Any:
    return bytes(value) if isinstance(value, msgspec.Raw) else value


def content_hash(entry: Entry) -> bytes | None:
    """The hash of an entry; None when it holds a value that no device can have written."""
    try:
        return entry_hash(entry)
    except (OverflowError, UnicodeEncodeError):
        return None
