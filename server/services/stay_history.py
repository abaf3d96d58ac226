"""A child's stays as its guardians are shown them: names and words of who brought and collected, and nothing else."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import datetime_of
from server.repositories import attendance, devices, stay_evidence
from server.repositories.guardian_accounts import FamilyChild, kinds_of
from server.repositories.unit_of_work import UnitOfWork
from server.services.access import User
from server.services.desk_entries import Entered
from server.services.my_children import is_of_a_desk
from sync.amendments import amend
from sync.attendance import AttendanceEvent, ChildAttendance, EventKind, Fact, fold
from sync.evidence_trail import id_of_stay
from sync.findings import FindingKind
from sync.intake import StoredFact
from sync.limits import REPLICA_DAYS, WALL_MS_MIN
from sync.stays import Stay

PARENT_APP: Final = "parent_app"
"""The `auth_method` of what a guardian says with their account."""

DAY_MS: Final = 24 * 3_600_000
# A person types what happened a while ago; what is entered within a minute is entered at once.
LATE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Handover:
    """One end of a stay: who it was, as what, and how that was recorded.

    `is_retroactive`: it was entered later than it happened. `is_corrected`: something of it was said anew.
    """

    name: str
    kind: str
    method: str
    identity_check: str
    device_name: str
    is_of_a_desk: bool
    is_retroactive: bool
    is_corrected: bool


@dataclass(frozen=True, slots=True)
class OwnWord:
    """What an account said last of a stay; `is_open`: a dispute that the centre has not answered."""

    event_id: str
    disputes: bool
    reason: str
    at_ms: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class MyStay:
    """A stay; times are UTC milliseconds, None where nobody saw that end. `day`: of the centre's calendar."""

    stay_id: str
    day: date
    started_at_ms: int | None
    ended_at_ms: int | None
    brought: Handover | None
    collected: Handover | None
    is_disputed: bool
    is_assumed: bool
    own_word: OwnWord | None


@dataclass(frozen=True, slots=True)
class StayHistory:
    """The facts of a child from some time on, and what they come to."""

    child: FamilyChild
    stored: Sequence[StoredFact]
    attendance: ChildAttendance
    words: Sequence[Fact]

    @property
    def stays(self) -> Sequence[Stay]:
        """The stays, the oldest first."""
        return self.attendance.stays

    def words_of(self, user: User, stay: Stay) -> int:
        """How often an account has said something of a stay."""
        return sum(1 for fact in self._said(stay) if fact.event.author_id == user.id)

    async def entered(self, unit: UnitOfWork, event_id: str) -> tuple[AttendanceEvent, Entered] | None:
        """Give an event of the centre, of whomever it is, and what became of it."""
        found = (await attendance.facts_around(unit.connection, {}, [(self.child.center_id, event_id)])).values()
        known = next((one for facts in found for one in facts), None)
        if known is None:
            return None
        event = known.fact.event
        return event, Entered(event_id, known.version, needs_review=event.disputes)

    async def told(self, unit: UnitOfWork, user: User, *, since_ms: int, before_ms: int) -> Sequence[MyStay]:
        """Give the stays that touch a time as an account is shown them, the last first."""
        wanted = [stay for stay in self.stays if _touches(stay, since_ms, before_ms)]
        ends = [fact for stay in wanted for fact in (stay.check_in, stay.check_out) if fact is not None]
        ids = {one for fact in ends for one in (fact.event.adult_id, fact.device_id)} - {""}
        center_id = self.child.center_id
        shown = _Shown(
            names=await stay_evidence.names_of(unit.connection, center_id, ids),
            kinds=await kinds_of(unit.connection, center_id, self.child.child_id, sorted(ids)),
            server_desks=await devices.server_desk_ids(unit.session, [center_id]),
            first={known.fact.event.event_id: known.fact for known in self.stored},
        )
        return [self._stay(stay, user, shown) for stay in reversed(wanted)]

    def _stay(self, stay: Stay, user: User, shown: "_Shown") -> MyStay:
        begun_ms = stay.started_at_ms or stay.ended_at_ms or 0
        open_disputes = self._open_disputes()
        mine = [fact for fact in self._said(stay) if fact.event.author_id == user.id]
        return MyStay(
            stay_id=id_of_stay(stay),
            day=datetime_of(begun_ms).astimezone(ZoneInfo(self.child.time_zone)).date(),
            started_at_ms=stay.started_at_ms,
            ended_at_ms=stay.ended_at_ms,
            brought=shown.handover(stay, stay.check_in),
            collected=shown.handover(stay, stay.check_out),
            is_disputed=stay.disputed or any(one.event.event_id in open_disputes for one in self._said(stay)),
            is_assumed=stay.assumed,
            own_word=_own_word(mine[-1], open_disputes) if mine else None,
        )

    def _said(self, stay: Stay) -> list[Fact]:
        """What guardians said of a stay, in order."""
        ends = {fact.event.event_id for fact in (stay.check_in, stay.check_out) if fact is not None}
        return [fact for fact in self.words if not ends.isdisjoint(fact.event.confirms)]

    def _open_disputes(self) -> Collection[str]:
        kind = FindingKind.DISPUTED_BY_GUARDIAN
        return {one for finding in self.attendance.findings if finding.kind is kind for one in finding.event_ids}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What ids stand for, and what events said first."""

    names: Mapping[str, str]
    kinds: Mapping[str, str]
    server_desks: frozenset[str]
    first: Mapping[str, Fact]

    def handover(self, stay: Stay, fact: Fact | None) -> Handover | None:
        if fact is None:
            return None
        event = fact.event
        first = self.first.get(event.event_id, fact).event
        # A departure that an answer tells of is of no desk, and was said by whoever answered.
        is_told = event.kind is EventKind.CHECK_OUT and first.kind is EventKind.REVIEW_RESOLVED
        return Handover(
            name=self.names.get(event.adult_id, "") or event.adult_name,
            kind=self.kinds.get(event.adult_id, ""),
            method=event.auth_method,
            identity_check=event.identity_check,
            device_name=self.names.get(fact.device_id, ""),
            is_of_a_desk=is_of_a_desk(stay, fact, self.server_desks),
            is_retroactive=is_told or first.recorded_at_ms - first.occurred_at_ms > LATE_MS,
            is_corrected=not is_told and first != event,
        )


async def read_history(
    unit: UnitOfWork, child: FamilyChild, *, since_ms: int | None = None, with_event: str = ""
) -> StayHistory:
    """Read what a child's stays from a moment (UTC milliseconds) on depend on, or those around an event of its.

    A fold looks back `REPLICA_DAYS`. Without a moment and with an event that is none of the child, there is nothing.
    """
    key = (child.center_id, child.child_id)
    if since_ms is None:
        since_ms = await _moment_of(unit, child, with_event)
    if since_ms is None:
        return StayHistory(child, (), ChildAttendance(), ())
    from_ms = max(since_ms - REPLICA_DAYS * DAY_MS, WALL_MS_MIN)
    stored = (await attendance.facts_around(unit.connection, {key: from_ms}, ())).get(child.center_id, [])
    # In a thread: the facts of months would hold up everybody's heartbeats.
    attended, words = await asyncio.to_thread(_folded, [known.fact for known in stored])
    return StayHistory(child, stored, attended, words)


async def _moment_of(unit: UnitOfWork, child: FamilyChild, event_id: str) -> int | None:
    found = await attendance.facts_around(unit.connection, {}, [(child.center_id, event_id)])
    facts = [known.fact for known in found.get(child.center_id, ())]
    return next((fact.at_ms for fact in facts if fact.event.child_subject_id == child.child_id), None)


def _folded(facts: Iterable[Fact]) -> tuple[ChildAttendance, Sequence[Fact]]:
    ordered = sorted(facts, key=lambda fact: fact.order)
    words = [fact for fact in amend(ordered).facts if _is_word(fact)]
    return fold(ordered), words


def _is_word(fact: Fact) -> bool:
    return fact.event.kind is EventKind.CONFIRM and fact.event.auth_method == PARENT_APP


def _own_word(fact: Fact, open_disputes: Collection[str]) -> OwnWord:
    event = fact.event
    return OwnWord(event.event_id, event.disputes, event.reason, fact.at_ms, event.event_id in open_disputes)


def _touches(stay: Stay, since_ms: int, before_ms: int) -> bool:
    begun_ms = stay.started_at_ms or stay.ended_at_ms or 0
    return begun_ms < before_ms and (stay.ended_at_ms is None or stay.ended_at_ms >= since_ms)
