"""The kiosk's half of a link: every state against every event.

`impossible` is a defect of our own shell and never of the peer; a `close` is how a peer that broke the rules is met.
"""

from collections.abc import Callable, Sequence
from typing import Any, get_args

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.device_session import State
from sync.effects import Lane
from sync.limits import CLOCK_NOTE_INTERVAL_MS
from sync.messages import (
    Advice,
    AdviceKind,
    Challenge,
    ForkFound,
    Heartbeat,
    Plan,
    PushStored,
    ServerMessage,
)
from tests.unit.sync.builders import EPOCH, INCARNATION, journal_of
from tests.unit.sync.table import table_of, written
from tests.unit.sync.talk import Desk, page, part, pushing, recorded, standing, stored, welcome, with_fields

ENTRIES = journal_of(5)
NONCE = b"n" * 32
ECHO = Heartbeat(version=10, wall_ms=9, echo_monotonic_ms=1_000_000, held_ms=0)


def greeted(plan: Plan = Plan.UP_TO_DATE, **standing_: int) -> Desk:
    desk = Desk(**standing_)
    desk.is_welcomed(plan, stored_seq=standing_.get("settled_seq", standing_.get("journal_seq", 0)))
    return desk


def after(desk: Desk, *told: on.DeviceEvent) -> Desk:
    for event in told:
        desk.on(event)
    return desk


def opened() -> Desk:
    return after(Desk(), on.LinkOpened())


def greeting() -> Desk:
    desk = Desk()
    desk.greets()
    return desk


def storing_outcomes() -> Desk:
    desk = pushing()
    desk.hears(stored(ENTRIES))
    return desk


def reopening() -> Desk:
    desk = Desk(journal_seq=5)
    desk.is_welcomed(stored_seq=2)
    return desk


def forked() -> Desk:
    desk = Desk(journal_seq=5, settled_seq=0)
    desk.is_welcomed(stored_seq=6)
    return desk


def storing_a_page() -> Desk:
    desk = greeted(Plan.RESUME)
    desk.hears(page(10, 11))
    return desk


def storing_a_part() -> Desk:
    desk = greeted(Plan.SNAPSHOT)
    desk.hears(part(1, 2))
    return desk


STATES: dict[str, Callable[[], Desk]] = {
    "new": Desk,
    "reading progress": opened,
    "greeting": greeting,
    "following": greeted,
    "following, storing a page": storing_a_page,
    "snapshot": lambda: greeted(Plan.SNAPSHOT),
    "snapshot, storing a part": storing_a_part,
    "reading entries": lambda: greeted(journal_seq=5, settled_seq=0),
    "awaiting an acknowledgement": pushing,
    "storing outcomes": storing_outcomes,
    "reopening": reopening,
    "beginning an incarnation": forked,
    "revoked, handing over": lambda: greeted(Plan.UPLOAD_ONLY, journal_seq=5, settled_seq=0),
    "revoked, destroying": lambda: greeted(Plan.UPLOAD_ONLY),
}


def hears(message: ServerMessage) -> Callable[[Desk], Sequence[do.DeviceEffect]]:
    return lambda desk: desk.hears(message)


def hears_later(message: ServerMessage, after_ms: int) -> Callable[[Desk], Sequence[do.DeviceEffect]]:
    def hear(desk: Desk) -> Sequence[do.DeviceEffect]:
        desk.now_ms += after_ms
        return desk.hears(message)

    return hear


def told(event: on.DeviceEvent) -> Callable[[Desk], Sequence[do.DeviceEffect]]:
    return lambda desk: desk.on(event)


EVENTS: dict[str, Callable[[Desk], Sequence[do.DeviceEffect]]] = {
    "LinkOpened": told(on.LinkOpened()),
    "LinkClosed": told(on.LinkClosed()),
    "TimerFired, early": lambda desk: desk.at(1),
    "TimerFired, heartbeat due": lambda desk: desk.at(5_000),
    "TimerFired, silence": lambda desk: desk.at(14_000),
    "StoreFailed": told(on.StoreFailed(Lane.UPLOAD, "disk full")),
    "ProgressRead": lambda desk: desk.on(desk.progress),
    "EntryRecorded": told(recorded(6)),
    "EntriesRead": told(on.EntriesRead(ENTRIES)),
    "EntriesRead, none": told(on.EntriesRead(())),
    "OutcomesStored": told(on.OutcomesStored(5, queue_depth=0)),
    "EntriesReopened": told(on.EntriesReopened(INCARNATION, 2, queue_depth=3)),
    "IncarnationBegun": told(on.IncarnationBegun(journal=standing(1, settled_seq=0, incarnation="b"), queue_depth=1)),
    "PageStored": told(on.PageStored(Head(EPOCH, 11, bytes(32)))),
    "SnapshotPartStored": told(on.SnapshotPartStored(1)),
    "SnapshotPartStored, with entries": told(on.SnapshotPartStored(1, 2, INCARNATION)),
    "ClockNoted": told(on.ClockNoted(1)),
    "ChallengeSigned": told(on.ChallengeSigned(NONCE, b"s" * 64)),
    "ReplicaDestroyed": told(on.ReplicaDestroyed()),
    "DestructionRefused": told(on.DestructionRefused(6, INCARNATION)),
    "frame: garbage": told(on.FrameReceived(b"\xc1")),
    "frame: Welcome": hears(welcome()),
    "frame: Welcome, revoked": hears(welcome(Plan.UPLOAD_ONLY)),
    "frame: Welcome, unknown protocol": hears(with_fields(welcome(), protocol=3)),
    "frame: PushStored": hears(stored(ENTRIES)),
    "frame: PushStored, asks again": hears(PushStored(through_seq=0, hash=b"")),
    "frame: ForkFound": hears(ForkFound(INCARNATION, 1)),
    "frame: Page": hears(page(10, 11)),
    "frame: SnapshotPart": hears(part(1, 2)),
    "frame: SnapshotPart of a bucket": hears(with_fields(part(1, 1), bucket="reference")),
    "frame: Heartbeat": hears(Heartbeat(version=10)),
    "frame: Heartbeat with an echo": hears(ECHO),
    "frame: Heartbeat with an echo, a minute later": hears_later(ECHO, CLOCK_NOTE_INTERVAL_MS),
    "frame: Advice, slow down": hears(Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=100)),
    "frame: Advice, come back later": hears(Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=100)),
    "frame: Challenge": hears(Challenge(NONCE)),
}

TABLE = """\
LinkOpened: impossible
    new: ReadProgress
LinkClosed: -
TimerFired, early: -
TimerFired, heartbeat due: SendFrame
    new: -
    reading progress: -
    greeting: -
TimerFired, silence: close SILENT
StoreFailed: close STORE_UNAVAILABLE
ProgressRead: impossible
    reading progress: SendFrame
EntryRecorded: -
    following: ReadEntries
    following, storing a page: ReadEntries
    snapshot: ReadEntries
    snapshot, storing a part: ReadEntries
EntriesRead: impossible
    reading entries: SendFrame
    revoked, handing over: SendFrame
EntriesRead, none: impossible
    reading entries: BeginIncarnation
    revoked, handing over: BeginIncarnation
OutcomesStored: impossible
    storing outcomes: -
EntriesReopened: impossible
    reopening: ReadEntries
IncarnationBegun: impossible
    beginning an incarnation: ReadEntries
PageStored: impossible
    following, storing a page: SendFrame
SnapshotPartStored: impossible
    snapshot, storing a part: SendFrame
SnapshotPartStored, with entries: impossible
    snapshot, storing a part: SendFrame + ReadEntries
ClockNoted: -
ChallengeSigned: impossible
ReplicaDestroyed: impossible
    revoked, destroying: close NORMAL
DestructionRefused: impossible
    revoked, destroying: ReadEntries
frame: garbage: close UNDECODABLE
frame: Welcome: close PROTOCOL_VIOLATION
    greeting: NoteClock
frame: Welcome, revoked: close PROTOCOL_VIOLATION
    greeting: NoteClock + DestroyReplica
frame: Welcome, unknown protocol: close PROTOCOL_VIOLATION
frame: PushStored: close PROTOCOL_VIOLATION
    awaiting an acknowledgement: StoreOutcomes
frame: PushStored, asks again: close PROTOCOL_VIOLATION
frame: ForkFound: close PROTOCOL_VIOLATION
    awaiting an acknowledgement: BeginIncarnation
frame: Page: close PROTOCOL_VIOLATION
    following: StorePage
    reading entries: StorePage
    awaiting an acknowledgement: StorePage
    storing outcomes: StorePage
    reopening: StorePage
    beginning an incarnation: StorePage
    following, storing a page: -
frame: SnapshotPart: close PROTOCOL_VIOLATION
    snapshot: StoreSnapshotPart
frame: SnapshotPart of a bucket: close PROTOCOL_VIOLATION
frame: Heartbeat: -
    new: close PROTOCOL_VIOLATION
    reading progress: close PROTOCOL_VIOLATION
    greeting: close PROTOCOL_VIOLATION
frame: Heartbeat with an echo: -
    new: close PROTOCOL_VIOLATION
    reading progress: close PROTOCOL_VIOLATION
    greeting: close PROTOCOL_VIOLATION
frame: Heartbeat with an echo, a minute later: NoteClock
    new: close PROTOCOL_VIOLATION
    reading progress: close PROTOCOL_VIOLATION
    greeting: close PROTOCOL_VIOLATION
frame: Advice, slow down: -
frame: Advice, come back later: KeepAdvice
frame: Challenge: SignChallenge
    new: close PROTOCOL_VIOLATION
    reading progress: close PROTOCOL_VIOLATION
    greeting: close PROTOCOL_VIOLATION
"""


def test_every_state_answers_every_event_as_the_table_says() -> None:
    assert written(table_of(STATES, EVENTS)) == TABLE


def test_the_table_leaves_no_event_and_no_message_out() -> None:
    named = " ".join(EVENTS)
    kinds: list[Any] = [*get_args(on.DeviceEvent), *get_args(ServerMessage)]
    assert [kind.__name__ for kind in kinds if kind.__name__ not in named and kind is not on.FrameReceived] == []


def test_the_table_leaves_no_state_out() -> None:
    reached = {make().session.state for make in STATES.values()}
    assert reached == set(State) - {State.CLOSED}


def test_a_closed_session_answers_nothing() -> None:
    closed: dict[str, Callable[[], Desk]] = {"closed": lambda: after(greeted(), on.LinkClosed())}
    assert {row["closed"] for row in table_of(closed, EVENTS).values()} == {"-"}
