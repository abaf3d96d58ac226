"""Shapes of the review inbox; every time has the centre's own offset (RFC 3339)."""

from datetime import datetime

from pydantic import Field

from server.schemas.base import Input, Line, Moment, Output


class WitnessOut(Output):
    """One event behind a finding: who said what, when, where, and what that desk knew.

    `clock_offset_ms` is the server's clock minus the desk's as last measured, null when it never was. `note` names the
    second person of an override. `knew_version` is the version of the centre's log that the desk had when it recorded
    the event.
    """

    event_id: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    received_at: datetime
    device_id: str
    device_name: str
    staff_id: str
    staff_name: str
    author: str
    adult_id: str
    adult_name: str
    auth_method: str
    identity_check: str
    clock_offset_ms: int | None
    clock_error_ms: int | None
    clock_suspect: bool
    warnings: list[str]
    reason: str
    note: str
    knew_version: int


class PossibleAnswerOut(Output):
    """An answer that may be given, what follows from it, and the time that it needs."""

    answer: str
    says: str
    consequence: str
    needs: str = Field(examples=["nothing", "left_at", "occurred_at"])


class ReviewOut(Output):
    """A finding; `minutes_stale` is how long a desk had been wrong about what it relied on.

    `answered_by` is the event that answered it, by `answered_by_name` (empty: not known) at `answered_at`.
    """

    finding: str
    kind: str
    severity: str = Field(examples=["critical", "normal"])
    state: str = Field(examples=["open", "answered"])
    subject_id: str
    subject_kind: str = Field(examples=["child", "person", "other"])
    subject_name: str
    found_at: datetime | None
    since: datetime | None
    minutes_stale: int | None
    evidence: list[WitnessOut]
    possible_answers: list[PossibleAnswerOut]
    answer: str
    answered_by: str | None
    answered_by_name: str
    answered_at: datetime | None
    answer_reason: str


class ReviewList(Output):
    """Reviews, those found last first; `next_cursor` empty: there are no more."""

    items: list[ReviewOut]
    next_cursor: str


class AnswerIn(Input):
    """An answer to a finding."""

    finding: str = Field(min_length=1, max_length=400)
    answer: str = Field(min_length=1, max_length=40)
    left_at: Moment | None = Field(default=None, strict=False)
    occurred_at: Moment | None = Field(default=None, strict=False)
    reason: Line = Field(default="", max_length=200)


class AnsweredOut(Output):
    """The event that the answer became, and the version of the log at which it stands."""

    event_id: str
    version: int
