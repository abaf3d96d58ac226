"""The attendance event: its kinds, its fields, which of them go with which kind, and the order of facts.

An event is about one subject (`AttendanceEvent.subject_id`), and is folded with the events of that subject alone:

| subject            | named by      | kinds                                                                        |
|--------------------|---------------|------------------------------------------------------------------------------|
| a child            | `child_id`    | check_in, check_out, room_move, release_refused, label_reprinted, auto_close |
| staff or a visitor | `person_id`   | staff_in, staff_out, staff_move, visitor_in, visitor_out, auto_close         |
| a roll-call        | `rollcall_id` | rollcall_start, rollcall_mark, rollcall_end                                  |
| a room, a centre   | `room_id`, or `center_id` alone | headcount                                                  |
| that of the events they name | the same fields | void, correct, confirm, review_resolved                          |
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Annotated, Final

import msgspec

from sync.limits import EVENT_NAMES_MAX, EVENT_NESTING_MAX, INT64_MAX, WALL_MS_MAX, WALL_MS_MIN

# A desk's clock that is off by less than this is taken at its word: times stay exactly as they were recorded.
CLOCK_TOLERANCE_MS: Final = 2_000
HEADCOUNT_MAX: Final = 100_000
# The `reason_code` of a check-out that went on although something spoke against it; `reason` says why it did.
OVERRIDE: Final = "override"

_UUID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
Uuid = Annotated[str, msgspec.Meta(pattern=rf"^{_UUID}$")]
MaybeUuid = Annotated[str, msgspec.Meta(pattern=rf"^({_UUID})?$")]
# No control characters in anything that a person reads on a screen or a printed list.
Line = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
# A word of a list that grows: what a later version adds, an earlier one keeps.
Code = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[a-z0-9_]*$")]
Mark = Annotated[str, msgspec.Meta(pattern=r"^(present|missing|elsewhere)?$")]
# `Finding.key`: a kind and the events that contradict each other; at most three do, with room to spare.
FindingKey = Annotated[str, msgspec.Meta(max_length=400, pattern=rf"^([a-z_]{{1,40}}(:{_UUID})+)?$")]
Names = Annotated[tuple[Uuid, ...], msgspec.Meta(max_length=EVENT_NAMES_MAX)]
Codes = Annotated[tuple[Code, ...], msgspec.Meta(max_length=EVENT_NAMES_MAX)]
WallMs = Annotated[int, msgspec.Meta(ge=WALL_MS_MIN, le=WALL_MS_MAX)]
AnyMs = Annotated[int, msgspec.Meta(ge=-INT64_MAX, le=INT64_MAX)]
Headcount = Annotated[int, msgspec.Meta(ge=0, le=HEADCOUNT_MAX)]


class EventKind(StrEnum):
    """The kinds of event that this version records and folds."""

    CHECK_IN = "check_in"
    CHECK_OUT = "check_out"
    ROOM_MOVE = "room_move"
    VOID = "void"
    CORRECT = "correct"
    CONFIRM = "confirm"
    RELEASE_REFUSED = "release_refused"
    LABEL_REPRINTED = "label_reprinted"
    STAFF_IN = "staff_in"
    STAFF_OUT = "staff_out"
    STAFF_MOVE = "staff_move"
    VISITOR_IN = "visitor_in"
    VISITOR_OUT = "visitor_out"
    ROLLCALL_START = "rollcall_start"
    ROLLCALL_MARK = "rollcall_mark"
    ROLLCALL_END = "rollcall_end"
    HEADCOUNT = "headcount"
    AUTO_CLOSE = "auto_close"
    REVIEW_RESOLVED = "review_resolved"


class Correction(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """What should have been said; a value at its default leaves what was said.

    `occurred_at_ms` is believed as a time that a person typed (UTC milliseconds). `room_id` is the room of a check-in
    and the goal of a move.
    """

    occurred_at_ms: WallMs | None = None
    room_id: MaybeUuid = ""
    adult_id: MaybeUuid = ""
    adult_name: Line = ""
    headcount: Headcount | None = None


class AttendanceEvent(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """What a desk testifies. Its JSON is a journal entry's body and is never changed afterwards.

    `occurred_at_ms` is what the person meant, `recorded_at_ms` the device's clock when it was entered (both UTC
    milliseconds since 1970). `clock_offset_ms` is server clock minus device clock as last measured, give or take
    `clock_error_ms`; None when this desk never measured it. `after_lease`: the desk had not heard the server for longer
    than it may, and said so. `clock_suspect`: the desk doubts its own clock. `staff_id` is who attests, `person_id` the
    member of staff or the visitor that the event is about. `provisional_name` is how a child is called who is not on
    file (yet); its `child_id` was made by the desk, and each event of it carries the name. `supersedes` are the events
    that a void, a correction or an answer acts upon. `left_at_ms` is an answer that says when the subject left.
    `author_id` and `author` are the account of whoever entered it through the server, and their name then.
    """

    event_id: Uuid
    kind: EventKind
    center_id: Uuid
    child_id: MaybeUuid = ""
    occurred_at_ms: WallMs
    recorded_at_ms: WallMs
    utc_offset_min: Annotated[int, msgspec.Meta(ge=-1_440, le=1_440)] = 0
    clock_offset_ms: AnyMs | None = None
    clock_error_ms: AnyMs | None = None
    room_id: MaybeUuid = ""
    adult_id: MaybeUuid = ""
    adult_name: Line = ""
    staff_id: MaybeUuid = ""
    auth_method: Line = "staff_attested"
    identity_check: Line = "none"
    note: Line = ""
    after_lease: bool = False
    clock_suspect: bool = False
    warnings: Codes = ()
    reason_code: Code = ""
    reason: Line = ""
    to_room_id: MaybeUuid = ""
    provisional_name: Line = ""
    person_id: MaybeUuid = ""
    person_name: Line = ""
    rollcall_id: MaybeUuid = ""
    mark: Mark = ""
    headcount: Headcount | None = None
    supersedes: Names = ()
    corrected: Correction | None = None
    confirms: Names = ()
    disputes: bool = False
    finding: FindingKey = ""
    answer: Code = ""
    left_at_ms: WallMs | None = None
    author_id: MaybeUuid = ""
    author: Line = ""

    @property
    def subject_id(self) -> str:
        """What the event is about; events of one subject are folded together."""
        return self.rollcall_id or self.child_id or self.person_id or self.room_id or self.center_id

    @property
    def child_subject_id(self) -> str:
        """The child the event is about; empty when it is about something else."""
        return "" if self.rollcall_id else self.child_id


_CHILD: Final = ("child_id",)
_PERSON: Final = ("person_id",)
_SUBJECTS: Final = ("child_id", "person_id", "rollcall_id", "provisional_name")
# What a kind must say, and what it may say beside it, of the fields that do not go with every kind.
_REQUIRED: Final[dict[EventKind, tuple[str, ...]]] = {
    EventKind.CHECK_IN: _CHILD,
    EventKind.CHECK_OUT: _CHILD,
    EventKind.ROOM_MOVE: (*_CHILD, "to_room_id"),
    EventKind.VOID: ("supersedes",),
    EventKind.CORRECT: ("supersedes", "corrected"),
    EventKind.CONFIRM: ("confirms",),
    EventKind.RELEASE_REFUSED: _CHILD,
    EventKind.LABEL_REPRINTED: _CHILD,
    EventKind.STAFF_IN: _PERSON,
    EventKind.STAFF_OUT: _PERSON,
    EventKind.STAFF_MOVE: (*_PERSON, "to_room_id"),
    EventKind.VISITOR_IN: (*_PERSON, "person_name"),
    EventKind.VISITOR_OUT: _PERSON,
    EventKind.ROLLCALL_START: ("rollcall_id",),
    EventKind.ROLLCALL_MARK: ("rollcall_id", "mark"),
    EventKind.ROLLCALL_END: ("rollcall_id",),
    EventKind.HEADCOUNT: ("headcount",),
    EventKind.AUTO_CLOSE: (),
    EventKind.REVIEW_RESOLVED: ("finding", "answer"),
}
_ALLOWED: Final[dict[EventKind, tuple[str, ...]]] = {
    EventKind.CHECK_IN: ("provisional_name",),
    EventKind.CHECK_OUT: ("provisional_name",),
    EventKind.ROOM_MOVE: ("provisional_name",),
    EventKind.RELEASE_REFUSED: ("provisional_name",),
    EventKind.LABEL_REPRINTED: ("provisional_name",),
    EventKind.VOID: _SUBJECTS,
    EventKind.CORRECT: _SUBJECTS,
    EventKind.CONFIRM: (*_SUBJECTS, "disputes"),
    EventKind.VISITOR_OUT: ("person_name",),
    EventKind.ROLLCALL_MARK: ("child_id", "person_id"),
    EventKind.AUTO_CLOSE: ("child_id", "person_id", "provisional_name"),
    EventKind.REVIEW_RESOLVED: (*_SUBJECTS, "supersedes", "corrected", "left_at_ms"),
}
_PARTICULAR: Final = frozenset(name for names in (*_REQUIRED.values(), *_ALLOWED.values()) for name in names)
_FORBIDDEN: Final[dict[EventKind, tuple[str, ...]]] = {
    kind: tuple(sorted(_PARTICULAR - {*required, *_ALLOWED.get(kind, ())})) for kind, required in _REQUIRED.items()
}
# All of them at once, in a fifth of the time: every event that is read anywhere is checked.
_FORBIDDEN_PARTS: Final[dict[EventKind, Callable[[AttendanceEvent], tuple[object, ...]]]] = {
    kind: attrgetter(*(name for name in names if name != "headcount")) for kind, names in _FORBIDDEN.items()
}
_MAY_COUNT: Final = frozenset(kind for kind, names in _FORBIDDEN.items() if "headcount" not in names)
_NEEDS_SOMEBODY: Final = frozenset({EventKind.ROLLCALL_MARK, EventKind.AUTO_CLOSE})


def fields_of_kind(kind: EventKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What an event of this kind must say, and what it may say, of the fields that do not go with every kind."""
    return _REQUIRED[kind], _ALLOWED.get(kind, ())


def check_event(event: AttendanceEvent) -> None:
    """See that the event says what its kind must say, and nothing that belongs to another kind.

    Raises:
        msgspec.ValidationError: it does not; the message names the field.

    """
    for name in _REQUIRED[event.kind]:
        if not _says(event, name):
            raise msgspec.ValidationError(f"a {event.kind} names its {name}")
    if any(_FORBIDDEN_PARTS[event.kind](event)) or (event.headcount is not None and event.kind not in _MAY_COUNT):
        name = next(name for name in _FORBIDDEN[event.kind] if _says(event, name))
        raise msgspec.ValidationError(f"a {event.kind} has no {name}")
    if event.child_id and event.person_id:
        raise msgspec.ValidationError("an event is about a child or about a grown-up, not both")
    if event.kind in _NEEDS_SOMEBODY and not (event.child_id or event.person_id):
        raise msgspec.ValidationError(f"a {event.kind} names somebody")
    if event.event_id in event.supersedes or (event.corrected is not None and not event.supersedes):
        raise msgspec.ValidationError("what is superseded are other events, and a correction names them")


def _says(event: AttendanceEvent, name: str) -> bool:
    if name == "headcount":
        return event.headcount is not None  # nobody in the room is a count, too
    return bool(getattr(event, name))


_EVENT_DECODER: Final = msgspec.json.Decoder(AttendanceEvent)


def encode_event(event: AttendanceEvent) -> bytes:
    """The exact bytes of an event; made once, on the device, and signed there."""
    return msgspec.json.encode(event)


def decode_event(body: bytes) -> AttendanceEvent:
    """Read an event strictly.

    Raises:
        msgspec.ValidationError: a value is impossible (a year before 2000, a control character, no UUID ...), the kind
            is not known here, or the event does not say what its kind must say (`check_event`).
        msgspec.DecodeError: the bytes are not JSON.
        UnicodeDecodeError: the bytes are not UTF-8.

    """
    if body.count(b"{") + body.count(b"[") > EVENT_NESTING_MAX:
        message = f"an event is flat: more than {EVENT_NESTING_MAX} brackets"
        raise msgspec.ValidationError(message)
    body.decode()  # msgspec skips a field it does not know unchecked, and a desk keeps bodies as text
    event = _EVENT_DECODER.decode(body)
    check_event(event)
    return event


class Fact(msgspec.Struct, gc=False, frozen=True, kw_only=True):
    """An event with what its order depends on: who wrote it down, and as which entry of whose journal."""

    event: AttendanceEvent
    device_id: str
    incarnation: str
    seq: int
    hlc: int

    @property
    def at_ms(self) -> int:
        """When it happened by the server's clock, in UTC milliseconds."""
        return corrected_at_ms(self.event)

    @property
    def order(self) -> tuple[int, int, str, str, int, str]:
        """The one order in which facts are folded; total, and free of anything about arrival."""
        return (self.at_ms, self.hlc, self.device_id, self.incarnation, self.seq, self.event.event_id)


def corrected_at_ms(event: AttendanceEvent) -> int:
    """When the event happened by the server's clock, in UTC milliseconds.

    A time that a person typed is believed; a time that the desk's clock gave is corrected by what is known of
    that clock, when it is off by more than `CLOCK_TOLERANCE_MS`.
    """
    offset_ms, at_ms = event.clock_offset_ms, event.occurred_at_ms
    if offset_ms is None or -CLOCK_TOLERANCE_MS <= offset_ms <= CLOCK_TOLERANCE_MS:
        return at_ms
    typed_by_a_person = at_ms != event.recorded_at_ms
    return at_ms if typed_by_a_person else at_ms + offset_ms


def each_once(facts: Iterable[Fact]) -> Sequence[Fact]:
    """Each event once, in the fold's order; of two facts with one event id the first in that order counts."""
    ordered = sorted(facts, key=_order)
    unique: dict[str, Fact] = {}
    for fact in ordered:
        unique.setdefault(fact.event.event_id, fact)
    return ordered if len(unique) == len(ordered) else list(unique.values())


def _order(fact: Fact) -> tuple[int, int, str, str, int, str]:
    """`Fact.order` with one call less for each of many facts."""
    event = fact.event
    return (corrected_at_ms(event), fact.hlc, fact.device_id, fact.incarnation, fact.seq, event.event_id)
