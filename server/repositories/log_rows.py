"""What the drafts of one transaction come to in a log: versions, hashes, evidence, digests; asks nobody anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from server.repositories.log_writes import Append, LockedHead, Row, Share, Stamp, Standing
from sync.change_log import SALT_BYTES, Change, ChangeDraft, Numbered, Operation, number
from sync.digest import MODULUS, Held, contribution
from sync.evidence import log_evidence

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that waits for its version, and who makes it."""

    draft: ChangeDraft
    actor: str


def microseconds(at: datetime) -> int:
    """UTC microseconds since 1970, exactly as the database keeps them."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def without_repeats(pending: Sequence[Pending], standing: Mapping[tuple[str, str], Standing]) -> list[Pending]:
    """Those that change something, in order; a dropped last one hands on the end of its unit."""
    states = {key: (record.bucket, record.body) for key, record in standing.items()}
    changed: list[Pending] = []
    kept_in_unit = False
    for one in pending:
        draft = one.draft
        key = (draft.entity, draft.entity_id)
        state = None if draft.operation is Operation.REMOVE else (draft.bucket, draft.body)
        if states.get(key) != state:
            states.pop(key, None)
            if state is not None:
                states[key] = state
            changed.append(one)
            kept_in_unit = True
        elif draft.ends_unit and kept_in_unit:
            last = changed[-1]
            changed[-1] = Pending(msgspec.structs.replace(last.draft, ends_unit=True), last.actor)
        kept_in_unit = kept_in_unit and not draft.ends_unit
    return changed


def append_of(
    center_id: str,
    locked: LockedHead,
    pending: Sequence[Pending],
    *,
    luck: bytes,
    stamp: Stamp,
    standing: Mapping[tuple[str, str], Standing],
) -> Append:
    """Number what is pending behind the locked head; `luck` holds a salt for each.

    `standing` are the records that will be replaced or removed.

    Raises:
        ValueError: a unit is larger than a page.

    """
    salts = (luck[at : at + SALT_BYTES] for at in range(0, len(luck), SALT_BYTES))
    head, numbered = number(locked.head, [one.draft for one in pending], salts)
    rows, evidence = _rows(locked.evidence, pending, numbered, stamp)
    return Append(center_id, rows, head, evidence, _shares([one.change for one in numbered], standing))


def _rows(
    evidence: bytes, pending: Sequence[Pending], numbered: Sequence[Numbered], stamp: Stamp
) -> tuple[tuple[Row, ...], bytes]:
    at_us = microseconds(stamp.at)
    rows: list[Row] = []
    for one, row in zip(pending, numbered, strict=True):
        evidence = log_evidence(
            evidence,
            row.hash,
            bucket=row.change.bucket,
            transaction_last=row.change.transaction_last,
            at_us=at_us,
            actor=one.actor,
            origin=stamp.origin,
        )
        rows.append(Row(row, one.actor, evidence))
    return tuple(rows), evidence


def _shares(changes: Sequence[Change], standing: Mapping[tuple[str, str], Standing]) -> dict[str, Share]:
    """What leaves each bucket and what comes to it, as one sum and one count."""
    totals: dict[str, int] = {}
    counts: dict[str, int] = {}
    for key, change in {(change.entity, change.entity_id): change for change in changes}.items():
        old = standing.get(key)
        if old is not None:
            gone = contribution(Held(old.bucket, *key, old.version, old.commitment))
            totals[old.bucket] = totals.get(old.bucket, 0) - gone
            counts[old.bucket] = counts.get(old.bucket, 0) - 1
        if change.operation is Operation.PUT:
            come = contribution(Held(change.bucket, *key, change.version, change.commitment))
            totals[change.bucket] = totals.get(change.bucket, 0) + come
            counts[change.bucket] = counts.get(change.bucket, 0) + 1
    return {bucket: (total % MODULUS, counts[bucket]) for bucket, total in totals.items()}
