"""Stays: what a subject's events come to, as everybody is shown it."""

import msgspec

from sync.attendance_events import Fact
from sync.findings import Answer, Finding


class InRoom(msgspec.Struct, gc=False, frozen=True):
    """Since when (UTC milliseconds) somebody was in which room."""

    since_ms: int
    room_id: str


class Stay(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """One physical presence. `check_in` None: nobody saw the child come. `check_out` None: still here.

    `assumed`: nobody saw the child go; the centre closed. `rooms` are those it was in, the last one now.
    """

    check_in: Fact | None
    check_out: Fact | None = None
    corroborated_by: tuple[str, ...] = ()
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    disputed: bool = False
    assumed: bool = False
    rooms: tuple[InRoom, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the child is in the building by this stay."""
        return self.ended_at_ms is None

    @property
    def room_id(self) -> str:
        """The room in which the child is, or was last; empty when nobody said."""
        return self.rooms[-1].room_id if self.rooms else ""


class GrowingStay:
    """A stay that still changes while its facts are folded. `is_fresh`: its arrival found nobody in."""

    __slots__ = (
        "assumed",
        "check_in",
        "check_out",
        "corroborated_by",
        "disputed",
        "ended_at_ms",
        "is_fresh",
        "rooms",
        "started_at_ms",
    )

    def __init__(self, check_in: Fact | None, started_at_ms: int | None) -> None:
        """Begin with the arrival, or without one."""
        self.check_in = check_in
        self.started_at_ms = started_at_ms
        self.check_out: Fact | None = None
        self.ended_at_ms: int | None = None
        self.corroborated_by: tuple[str, ...] = ()
        self.disputed = False
        self.assumed = False
        self.rooms: tuple[InRoom, ...] = ()
        self.is_fresh = False

    def told(self) -> Stay:
        """Give it as it is now."""
        return Stay(
            check_in=self.check_in,
            check_out=self.check_out,
            corroborated_by=self.corroborated_by,
            started_at_ms=self.started_at_ms,
            ended_at_ms=self.ended_at_ms,
            disputed=self.disputed,
            assumed=self.assumed,
            rooms=self.rooms,
        )


class ChildAttendance(msgspec.Struct, frozen=True):
    """What a subject's events come to: stays in order of time, never overlapping, and findings.

    `findings` are open. `answers` are what people said to findings, whether or not these are still to be found.
    `ended_absences` are the announced absences that an arrival ended.
    """

    stays: tuple[Stay, ...] = ()
    findings: tuple[Finding, ...] = ()
    answers: tuple[Answer, ...] = ()
    ended_absences: tuple[str, ...] = ()

    @property
    def open_stay(self) -> Stay | None:
        """The stay the child is in now, if any."""
        return self.stays[-1] if self.stays and self.stays[-1].is_open else None


class Spans(msgspec.Struct, frozen=True):
    """A fold, and how it can be continued from its middle.

    `fresh`: for each stay, whether its arrival found nobody in: a span begins there, and nothing before it matters to
    what follows. `findings`: for each finding, the number of the last stay when it was found, or of the stay whose
    span it belongs to; -1 before the first.
    """

    attendance: ChildAttendance
    fresh: tuple[bool, ...]
    findings: tuple[int, ...]
