"""Checks the log of a centre row by row: numbers, commitments, both chains, and the rows that speak of its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.core.signed_heads import Pin, PinCheck
from server.repositories.verification import FoldDifference, HeadRow, LogRow
from sync.change_log import Change, Operation, commitment_of, genesis, next_hash
from sync.digest import MODULUS, Held, contribution
from sync.evidence import GENESIS, log_evidence

_OPERATIONS: Final = frozenset(int(operation) for operation in Operation)


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is not what was written: its table, its key, what is wrong, and its version (0: it has none)."""

    table: str
    key: str
    what: str
    version: int = 0


class LogCheck:
    """Takes the rows of a log in order; each answer is what is wrong first, or None."""

    def __init__(self, center_id: str, head: HeadRow, pins: Sequence[Pin] = ()) -> None:
        """Begin before the first row; `pins` is what was signed of it."""
        self._signed = PinCheck(pins)
        self._center_id = center_id
        self._head = head
        self._version = 0
        self._hash = genesis(center_id, head.origin_epoch).hash
        self._evidence = GENESIS
        self._unmarked = 0
        self._is_whole = True

    def take(self, row: LogRow) -> Finding | None:
        """Check the next row."""
        change = row.change
        if change.version != self._version + 1:
            return _wrong(self._version + 1, "the row is missing")
        self._version = change.version
        if row.operation not in _OPERATIONS:
            return _wrong(change.version, "`operation` is none")
        if not self._has_its_body(row):
            return _wrong(change.version, "`body` or `salt` is not what `commitment` says")
        self._hash = _next_hash(self._hash, change)
        if self._hash != row.hash:
            return _wrong(
                change.version, "`hash` does not follow from `entity`, `entity_id`, `operation`, `commitment`"
            )
        self._is_whole = change.transaction_last
        return self._take_evidence(row)

    def finish(self) -> Finding | None:
        """Compare the end of the log with its head."""
        head = self._head
        if self._version < head.version:
            return _wrong(self._version + 1, "the row is missing")
        if what := self._signed.finish(self._version):
            return _wrong(self._version + 1, what)
        if self._version > head.version:
            return self._wrong_head("version", f"the log goes on to version {self._version}")
        if self._hash != head.hash:
            return self._wrong_head("hash", "it is not that of the last row")
        if not self._is_whole:
            return _wrong(self._version, "`transaction_last`: the last row does not end its unit")
        if not 0 <= head.compacted_version <= head.version:
            return self._wrong_head("compacted_version", "it lies outside the log")
        if not 0 <= head.evidence_version <= head.version:
            return self._wrong_head("evidence_version", "it lies outside the log")
        if not head.evidence_version and head.evidence != GENESIS:
            return self._wrong_head("evidence", "it is not that of the log")
        return None

    def _has_its_body(self, row: LogRow) -> bool:
        change = row.change
        if change.body or change.salt:
            return commitment_of(change.salt, change.body) == change.commitment
        is_superseded = row.operation == Operation.PUT and not row.stands
        return is_superseded and change.version <= self._head.compacted_version

    def _take_evidence(self, row: LogRow) -> Finding | None:
        change = row.change
        if change.version > self._head.evidence_version:
            return None
        self._evidence = log_evidence(
            self._evidence,
            row.hash,
            bucket=change.bucket,
            transaction_last=change.transaction_last,
            at_us=row.at_us,
            actor=row.actor,
            origin=row.origin,
        )
        covered = "`bucket`, `transaction_last`, `at`, `actor`, `origin` or `evidence`"
        if row.evidence and row.evidence != self._evidence:
            return _wrong(change.version, f"{covered} was changed")
        self._unmarked += not row.evidence
        if what := self._signed.take(change.version, self._evidence):
            return _wrong(change.version, what)
        if change.version == self._head.evidence_version and self._evidence != self._head.evidence:
            if self._unmarked:
                return _wrong(change.version, f"here or before, {covered} was changed")
            return self._wrong_head("evidence", "it is not that of the log")
        return None

    def _wrong_head(self, column: str, what: str) -> Finding:
        return Finding("center_head", self._center_id, f"`{column}`: {what}", self._head.version)


def check_epochs(center_id: str, head: HeadRow, lives: Sequence[tuple[str, int]]) -> Finding | None:
    """Check the lives of a log, each with the version from which it goes on."""
    if not lives or lives[0][1] != 0:
        return Finding("log_epoch", head.origin_epoch, "the row of the first life is missing, or its `from_version` is")
    is_first, is_last = lives[0][0] == head.origin_epoch, lives[-1][0] == head.epoch
    if not is_first and not is_last:
        return Finding("log_epoch", lives[0][0], "`epoch`: the head of the log knows no such life")
    if not is_first:
        return Finding(
            "center_head", center_id, "`origin_epoch`: it is not the first life in `log_epoch`", head.version
        )
    if not is_last:
        return Finding("center_head", center_id, "`epoch`: it is not the last life in `log_epoch`", head.version)
    if lives[-1][1] > head.version:
        return Finding("log_epoch", head.epoch, "`from_version`: it lies beyond the log")
    return None


def explain_fold(found: FoldDifference) -> Finding:
    """Say how log and fold differ."""
    key = f"{found.entity} {found.entity_id}"
    if not found.in_fold:
        what = "the row is missing: the log says that the record stands"
    elif not found.in_log:
        what = "the log says that no such record stands"
    else:
        what = f"{', '.join(f'`{column}`' for column in found.columns)}: the log says otherwise"
    return Finding("current_record", key, what, found.version)


class DigestCheck:
    """Adds up what the records that stand give to the digests of their buckets."""

    def __init__(self) -> None:
        """Hold nothing yet: a sum for each bucket, of which there is one a day."""
        self._sums: dict[str, tuple[int, int]] = {}

    def take(self, held: Held) -> None:
        """Add a record."""
        total, records = self._sums.get(held.bucket, (0, 0))
        self._sums[held.bucket] = ((total + contribution(held)) % MODULUS, records + 1)

    def finish(self, stored: dict[str, tuple[int, int]]) -> Finding | None:
        """Compare with the digests as they are kept; a bucket that became empty may keep its row."""
        for bucket in sorted(self._sums.keys() | stored.keys()):
            if self._sums.get(bucket, (0, 0)) != stored.get(bucket, (0, 0)):
                return Finding("bucket_digest", bucket, "`total` or `records` is not that of its records")
        return None


def _wrong(version: int, what: str) -> Finding:
    return Finding("change_log", str(version), what, version)


def _next_hash(previous: bytes, change: Change) -> bytes:
    """The hash of the chain at this row; none when it holds a key that is longer than any."""
    try:
        return next_hash(previous, change)
    except OverflowError:
        return b""
