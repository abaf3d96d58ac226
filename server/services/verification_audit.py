"""Checks a chain of the audit log row by row: numbers, hashes, and that it ends where its head says."""

from collections.abc import Sequence

from server.core.audit_chain import GENESIS, AuditEntry, next_hash
from server.core.signed_heads import Pin, PinCheck
from server.repositories.audit import ChainEnd
from server.services.verification_log import Finding


class AuditCheck:
    """Takes the entries of a chain in order; each answer is what is wrong first, or None."""

    def __init__(self, end: ChainEnd | None, pins: Sequence[Pin] = ()) -> None:
        """Begin before the first entry; `end` is what the head says, None where there is none; `pins` was signed."""
        self._signed = PinCheck(pins)
        self._end = end
        self._seq = 0
        self._hash = GENESIS

    def take(self, row: tuple[AuditEntry, bytes]) -> Finding | None:
        """Check the next entry against the one before."""
        entry, stored = row
        if entry.seq != self._seq + 1:
            return _wrong(self._seq + 1, "the row is missing")
        if next_hash(self._hash, entry) != stored:
            return _wrong(entry.seq, "it is not what was written: `hash` does not follow from the row")
        self._seq, self._hash = entry.seq, stored
        what = self._signed.take(entry.seq, stored)
        return _wrong(entry.seq, what) if what else None

    def finish(self) -> Finding | None:
        """Compare the last entry with the head."""
        if what := self._signed.finish(self._seq):
            return _wrong(self._seq + 1, what)
        if self._end is None:
            return None if not self._seq else Finding("audit_head", "the chain", "the row is missing")
        if self._end.seq > self._seq:
            return _wrong(self._seq + 1, "the row is missing")
        if (self._end.seq, self._end.hash) != (self._seq, self._hash):
            return Finding("audit_head", "the chain", "it does not say where the entries end")
        return None


def _wrong(seq: int, what: str) -> Finding:
    return Finding("audit_entry", f"number {seq}", what)
