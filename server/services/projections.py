"""Stays and findings as tables: what a fold of a subject's facts comes to, written with the facts themselves.

After a push only its subjects are folded again, each from the last arrival before the push that found nobody in: by
`sync.attendance` nothing before it matters. Whoever changes what events are judged by (a closure, a lock, a pick-up)
folds those whom it concerns from scratch in the same transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from server.core.clock import datetime_of
from server.models.projections import ReviewState, Severity, SubjectKind
from server.repositories import attendance, projections
from server.repositories.attendance import CenterKey
from server.repositories.projections import Fresh, NewReview, NewStay, SubjectRows
from server.repositories.unit_of_work import Connection, UnitsOfWork
from sync.attendance import Circumstances, Fact, Finding, Spans, Stay, fold_spans
from sync.circumstances import Span
from sync.findings import CRITICAL_FINDINGS
from sync.limits import WALL_MS_MIN
from sync.records import CenterRecord, ChildRecord, PickupRecord
from sync.reference import circumstances_of, employment

RULES: Final = 3
"""Raise it with every change of what the fold decides: a server that starts makes older projections again."""

# With all the facts of five years each: 100,000 of 1 KiB.
SUBJECTS_AT_ONCE: Final = 20

_log = structlog.get_logger(__name__)

Progress = Callable[[int], None]
# Of a centre whose row is gone nothing is known, and its facts are still folded.
_NO_CENTER: Final = CenterRecord(code="", name="", time_zone="UTC")


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found: how many subjects there are, and how many rows were not as they should be."""

    subjects: int
    wrong_stays: int
    wrong_reviews: int


class Projections:
    """Makes the tables again."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read and write through `units`."""
        self._units = units

    async def rebuild(self, center_id: str, progress: Progress = lambda _subjects: None) -> Rebuilt:
        """Fold every subject of a centre from scratch and replace its projections, in one transaction.

        Pushes to the centre wait meanwhile: a second for a thousand children and a year, about.
        """
        async with self._units.begin(origin="operator") as unit:
            await unit.lock_head(center_id)
            connection = unit.connection
            before = [await projections.rows_of_center(connection, center_id, table) for table in ("stay", "review")]
            await projections.forget(connection, center_id)
            after, done = "", 0
            while found := await projections.subjects(connection, center_id, after=after, limit=SUBJECTS_AT_ONCE):
                await refold(connection, center_id, found)
                after, done = found[-1], done + len(found)
                progress(done)
            await projections.note_rules(connection, center_id, RULES)
            now = [await projections.rows_of_center(connection, center_id, table) for table in ("stay", "review")]
        stays, reviews = (_different(old, new) for old, new in zip(before, now, strict=True))
        return Rebuilt(done, stays, reviews)

    async def catch_up(self) -> None:
        """Rebuild every centre whose projections were made by other rules; for a server that starts.

        Until then a child of whom something arrives is right, since it is folded from its first fact.
        """
        for center_id in await self.outdated():
            found = await self.rebuild(center_id)
            _log.info("projections_rebuilt", center=center_id, subjects=found.subjects, rules=RULES)

    async def outdated(self) -> list[str]:
        """Give the centres whose projections were made by other rules than these, or never."""
        async with self._units.read() as connection:
            return [center_id for center_id, number in (await projections.rules(connection)).items() if number != RULES]


async def refold(connection: Connection, center_id: str, subject_ids: Sequence[str]) -> None:
    """Fold some subjects from scratch and replace their projections; the caller holds the centre's head."""
    for begin in range(0, len(subject_ids), SUBJECTS_AT_ONCE):
        await _refold(connection, center_id, subject_ids[begin : begin + SUBJECTS_AT_ONCE])


async def circumstances_of_subject(connection: Connection, center_id: str, subject_id: str) -> Circumstances:
    """Say what is known of a subject beside its facts, as its projections are made with."""
    key = (center_id, subject_id)
    stored = (await attendance.facts_around(connection, {key: WALL_MS_MIN}, ())).get(center_id, [])
    around = await around_of(connection, center_id, [key])
    return around.of(key, {known.fact.event.event_id: known.received_at_ms for known in stored})


@dataclass(frozen=True, slots=True)
class Around:
    """What the records say beside the facts of some subjects of a centre.

    The announced absences of a child are no part of it: they end with an arrival, which makes no stay another one and
    is found by nobody.
    """

    center: CenterRecord
    pickups: Mapping[CenterKey, Sequence[PickupRecord]]
    children: Mapping[CenterKey, ChildRecord]
    employed: Mapping[str, tuple[Span, ...]]

    def of(self, key: CenterKey, received_ms: Mapping[str, int]) -> Circumstances:
        """Give them as the fold takes them; `received_ms` is when the server got each event (UTC milliseconds)."""
        return circumstances_of(
            self.center,
            self.pickups.get(key, ()),
            received_ms,
            child=self.children.get(key),
            employed=self.employed,
        )


async def around_of(connection: Connection, center_id: str, keys: Sequence[CenterKey]) -> Around:
    """Read them for some subjects of one centre."""
    center = (await projections.calendars(connection, [center_id])).get(center_id, _NO_CENTER)
    staff = (await projections.staff(connection, [center_id])).get(center_id, {})
    children = await projections.children(connection, keys)
    return Around(
        center=center,
        pickups={key: child.pickups for key, child in children.items()},
        children={key: child.record for key, child in children.items() if child.record is not None},
        employed=employment(staff, center.time_zone),
    )


async def _refold(connection: Connection, center_id: str, subject_ids: Sequence[str]) -> None:
    keys = [(center_id, subject_id) for subject_id in subject_ids]
    stored = (await attendance.facts_around(connection, dict.fromkeys(keys, WALL_MS_MIN), ())).get(center_id, [])
    around = await around_of(connection, center_id, keys)
    received_ms = {known.fact.event.event_id: known.received_at_ms for known in stored}
    facts: dict[str, list[Fact]] = {subject_id: [] for subject_id in subject_ids}
    for known in stored:
        facts.setdefault(known.fact.event.subject_id, []).append(known.fact)
    rows = []
    for subject_id in subject_ids:
        key = (center_id, subject_id)
        spans = fold_spans(facts[subject_id], around.of(key, received_ms))
        rows.append(rows_of(key, facts[subject_id], spans, received_ms))
    await projections.write_stays(connection, rows)
    await projections.write_reviews(connection, rows)


def rows_of(
    key: CenterKey, facts: Iterable[Fact], spans: Spans, received_ms: Mapping[str, int], first: Fresh | None = None
) -> SubjectRows:
    """Turn a fold into rows; `first` is the arrival that it began with, None when it began with the first fact."""
    ordinal = first.ordinal if first else 0
    rows = SubjectRows(*key, subject_kind=_kind_of(facts).value, first=ordinal if first else -1)
    attendance_ = spans.attendance
    for number, (stay, is_fresh) in enumerate(zip(attendance_.stays, spans.fresh, strict=True), start=ordinal):
        rows.stays.append(_stay(number, stay, is_fresh=is_fresh))
    rows.end = ordinal + len(rows.stays)
    for finding, span in zip(attendance_.findings, spans.findings, strict=True):
        rows.reviews.append(_open_review(finding, span + ordinal if span >= 0 else -1, received_ms))
    for answer in attendance_.answers:
        kind, *event_ids = answer.finding.split(":")
        rows.reviews.append(
            NewReview(
                finding=answer.finding,
                kind=kind,
                severity=_severity(kind),
                state=ReviewState.ANSWERED.value,
                span=-1,
                event_ids=event_ids,
                since=None,
                found_at=_moment(received_ms.get(answer.event_id)),
                answer=answer.answer,
                answered_by=answer.event_id,
            )
        )
    rows.reviews = list({review.finding: review for review in rows.reviews}.values())
    return rows


def is_critical(review: NewReview) -> bool:
    """Whether a manager must be told of it now."""
    return review.severity == Severity.CRITICAL and review.state == ReviewState.OPEN


def _kind_of(facts: Iterable[Fact]) -> SubjectKind:
    event = next((fact.event for fact in facts), None)
    if event is None or event.rollcall_id:
        return SubjectKind.OTHER
    return SubjectKind.CHILD if event.child_id else SubjectKind.PERSON if event.person_id else SubjectKind.OTHER


def _stay(ordinal: int, stay: Stay, *, is_fresh: bool) -> NewStay:
    came, went = stay.check_in, stay.check_out
    first = came or went
    assert first is not None, "a stay has an arrival or a departure"
    return NewStay(
        ordinal=ordinal,
        stay_id=first.event.event_id,
        is_fresh=is_fresh,
        began_at=_moment(came.at_ms if came else None),
        started_at=_moment(stay.started_at_ms),
        ended_at=_moment(stay.ended_at_ms),
        check_in=came.event.event_id if came else None,
        check_out=went.event.event_id if went else None,
        corroborated_by=stay.corroborated_by,
        disputed=stay.disputed,
        assumed=stay.assumed,
        rooms=[(room.since_ms, room.room_id) for room in stay.rooms],
    )


def _open_review(finding: Finding, span: int, received_ms: Mapping[str, int]) -> NewReview:
    received = [received_ms[event_id] for event_id in finding.event_ids if received_ms.get(event_id)]
    return NewReview(
        finding=finding.key,
        kind=finding.kind.value,
        severity=_severity(finding.kind),
        state=ReviewState.OPEN.value,
        span=span,
        event_ids=finding.event_ids,
        since=_moment(finding.since_ms or None),
        found_at=_moment(max(received, default=None)),
    )


def _severity(kind: str) -> str:
    is_critical = kind in {one.value for one in CRITICAL_FINDINGS}
    return (Severity.CRITICAL if is_critical else Severity.NORMAL).value


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else datetime_of(ms)


def _different(old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]) -> int:
    return sum(old.get(key) != new.get(key) for key in old.keys() | new.keys())
