"""The audit trail of corrections: each act upon an event, who did it and why, and each value before and after."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from server.models.rooms import Center
from server.repositories import attendance, reports, stay_evidence
from server.repositories.reports import Act
from server.repositories.unit_of_work import UnitsOfWork
from server.services.report_kinds import Part, ReportRow, in_words, local
from sync.attendance import EventKind, Fact
from sync.evidence_trail import Change, Step, trail_of
from sync.limits import REPLICA_DAYS, WALL_MS_MIN

# A thousand on each day of a month; a centre of a hundred children has a handful.
ACTS_MAX: Final = 31_000
DAY_MS: Final = 24 * 3_600_000
_NAMED: Final = frozenset({"room_id", "to_room_id", "adult_id"})
_FIELDS: Final = {
    "at_ms": "time", "room_id": "room", "to_room_id": "to room", "adult_id": "adult", "adult_name": "adult",
    "headcount": "headcount",
}  # fmt: skip
_SUBJECT_KINDS: Final = {EventKind.VOID: "void", EventKind.CORRECT: "correction", EventKind.REVIEW_RESOLVED: "answer"}


@dataclass(frozen=True, slots=True)
class _Line:
    """What an act did to one event; `about` None: an event that is not here (any more)."""

    act: Fact
    about: Fact | None
    change: Change | None


async def correction_rows(units: UnitsOfWork, center: Center, part: Part) -> list[ReportRow]:
    """Give the acts that were made in a part, the earliest first; one that names several events has a line for each."""
    since, before = part.bounds(center.time_zone)
    async with units.read() as connection:
        acts = await reports.acts(connection, center.id, since, before, limit=ACTS_MAX)
        if not acts:
            return []
        from_ms = max(int(since.timestamp() * 1000) - REPLICA_DAYS * DAY_MS, WALL_MS_MIN)
        subjects = {(center.id, act.subject_id): from_ms for act in acts}
        stored = (await attendance.facts_around(connection, subjects, ())).get(center.id, [])
        facts = {known.fact.event.event_id: known.fact for known in stored}
        older = sorted({one for act in acts for one in _named(facts, act.event_id)} - facts.keys())
        more = await attendance.facts_around(connection, {}, [(center.id, one) for one in older])
        facts |= {known.fact.event.event_id: known.fact for known in more.get(center.id, [])}
        lines = await asyncio.to_thread(_lines, acts, facts)
        ids = {one for line in lines for one in _ids(line)}
        names = await stay_evidence.names_of(connection, center.id, ids)
    return [_row(line, names, ZoneInfo(center.time_zone)) for line in lines]


def _named(facts: Mapping[str, Fact], event_id: str) -> Sequence[str]:
    fact = facts.get(event_id)
    return fact.event.supersedes if fact is not None else ()


def _lines(acts: Sequence[Act], facts: Mapping[str, Fact]) -> list[_Line]:
    by_subject: dict[str, list[Fact]] = {}
    for fact in facts.values():
        by_subject.setdefault(fact.event.subject_id, []).append(fact)
    found: list[_Line] = []
    for act in acts:
        done = facts.get(act.event_id)
        if done is None:
            continue  # of a kind that came with a newer server
        named = [facts[one] for one in done.event.supersedes if one in facts]
        found += [_Line(done, one, _change(done, one, by_subject.get(act.subject_id, ()))) for one in named]
        if not named:
            found.append(_Line(done, None, None))
    return found


def _change(act: Fact, about: Fact, facts: Iterable[Fact]) -> Change | None:
    """What an act did to an event, as the trail of the stay tells it."""
    told = {one.fact.event.event_id: one for one in trail_of(facts, about.event.event_id).told}
    found = told.get(about.event.event_id)
    changes = found.changes if found is not None else ()
    return next((one for one in changes if one.act.event.event_id == act.event.event_id), None)


def _ids(line: _Line) -> list[str]:
    """Whatever in a line is told by an id."""
    events = [fact.event for fact in (line.act, line.about) if fact is not None]
    people = [one for event in events for one in (event.child_id, event.person_id, event.staff_id, event.room_id)]
    steps = line.change.steps if line.change is not None else ()
    values = [str(value) for step in steps if step.name in _NAMED for value in (step.before, step.after) if value]
    return [line.act.device_id, *(event.author_id for event in events), *people, *values]


def _row(line: _Line, names: Mapping[str, str], zone: ZoneInfo) -> ReportRow:
    event, about = line.act.event, line.about.event if line.about is not None else None
    before, after = _before_and_after(line, names, zone)
    subject = about or event
    said = event.provisional_name or subject.provisional_name or subject.person_name
    reason = [in_words(event.reason_code), event.reason, event.note]
    return (
        local(event.recorded_at_ms, zone),
        event.author or names.get(event.staff_id, "") or "not said",
        names.get(line.act.device_id, ""),
        _what(line),
        names.get(subject.child_id or subject.person_id or subject.room_id, "") or said or "not on file",
        in_words(about.kind.value) if about is not None else "",
        local(line.about.at_ms if line.about is not None else None, zone),
        before,
        after,
        ": ".join(part for part in reason if part),
        "" if line.change is None else "yes" if line.change.acts else "no, taken back or outdone",
        event.event_id,
    )


def _what(line: _Line) -> str:
    event = line.act.event
    answer = f" “{in_words(event.answer)}” to {in_words(event.finding.partition(':')[0])}" if event.answer else ""
    return _SUBJECT_KINDS.get(event.kind, in_words(event.kind.value)) + answer


def _before_and_after(line: _Line, names: Mapping[str, str], zone: ZoneInfo) -> tuple[str, str]:
    event = line.act.event
    left = f"left at {local(event.left_at_ms, zone)}" if event.left_at_ms is not None else ""
    if line.change is None:
        return "", left
    if line.change.removes:
        return "counted", "does not count" + (f"; {left}" if left else "")
    steps = line.change.steps
    befores = [f"{_FIELDS.get(step.name, step.name)}: {_value(step, step.before, names, zone)}" for step in steps]
    afters = [f"{_FIELDS.get(step.name, step.name)}: {_value(step, step.after, names, zone)}" for step in steps]
    return "\n".join(befores), "\n".join([*afters, *([left] if left else [])])


def _value(step: Step, value: str | int | None, names: Mapping[str, str], zone: ZoneInfo) -> str:
    if step.name == "at_ms" and isinstance(value, int):
        return local(value, zone)
    if step.name in _NAMED:
        return names.get(str(value), "") or ("nobody said" if not value else "not on file")
    return "nobody said" if value in {None, ""} else str(value)
