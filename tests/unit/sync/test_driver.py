"""The one loop of both sides, with a real event loop and a session that does what the test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
import pytest

from sync.driver import INBOX_FRAMES_MAX, OVERDUE_EVENTS_MAX, Driver, LinkLost, StoreUnavailable
from sync.effects import CloseLink, Lane
from sync.errors import CloseCode, ImpossibleTransition
from sync.events import EntryRecorded, FrameReceived, HeadMoved, LinkClosed, StoreFailed, TimerFired

DEADLINE_S = 60


class Do(msgspec.Struct, frozen=True):
    """An effect with a name."""

    name: str
    lane: Lane | None = None


class Told(msgspec.Struct, frozen=True):
    """An event with a name."""

    name: str


STOP = Told("stop")
Handle = Callable[[object], Sequence[Do | CloseLink]]


class FakeSession:
    """Answers each event as the test says; LinkClosed, StoreFailed and STOP close it, and so does `last`."""

    def __init__(self, answer: Handle | None = None, *, last: object = None) -> None:
        self.seen: list[object] = []
        self.is_closed = False
        self.deadline_ms: int | None = None
        self._last = last
        self._answer = answer or (lambda _event: ())

    def handle(self, event: object, now_ms: int) -> Sequence[Do | CloseLink]:
        self.seen.append(event)
        if isinstance(event, StoreFailed):
            self.is_closed = True
            return (CloseLink(CloseCode.STORE_UNAVAILABLE, event.reason),)
        self.is_closed = event in (STOP, self._last) or isinstance(event, LinkClosed)
        return self._answer(event)


class Performer:
    """Notes what begins and ends, and lets a test hold an effect back or make it fail."""

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.failures: dict[str, Exception] = {}
        self._noted = asyncio.Event()

    async def __call__(self, effect: Do | CloseLink) -> object | None:
        name = effect.name if isinstance(effect, Do) else f"close {effect.code.value}"
        self._note(f"{name} begins")
        if name in self.gates:
            await self.gates[name].wait()
        if name in self.failures:
            raise self.failures[name]
        self._note(f"{name} ends")
        return Told(f"{name} done") if isinstance(effect, Do) and effect.lane else None

    def _note(self, what: str) -> None:
        self.noted.append(what)
        self._noted.set()

    async def until(self, what: str) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while what not in self.noted:
                self._noted.clear()
                await self._noted.wait()


def driver(session: FakeSession, performer: Performer, now_ms: Callable[[], int] = lambda: 0) -> Driver[Do]:
    return Driver(session, performer, now_ms)  # type: ignore[arg-type]


@asynccontextmanager
async def running(work: Driver[Do]) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(work.run())
    async with asyncio.timeout(DEADLINE_S):
        yield task
        await asyncio.wait([task])


def answers(**told: Sequence[Do]) -> Handle:
    return lambda event: told.get(event.name, ()) if isinstance(event, Told) else ()


async def test_effects_without_a_lane_are_carried_out_in_order() -> None:
    performer = Performer()
    work = driver(FakeSession(answers(go=(Do("a"), Do("b"), Do("c")))), performer)
    work.deliver(Told("go"))
    work.deliver(STOP)
    await work.run()
    assert performer.noted == [f"{name} {when}" for name in "abc" for when in ("begins", "ends")]


async def test_an_effect_without_a_lane_is_finished_before_the_next_event_is_heard() -> None:
    performer, session = Performer(), FakeSession(answers(go=(Do("a"),)))
    performer.gates["a"] = asyncio.Event()
    work = driver(session, performer)
    work.deliver(Told("go"))
    async with running(work):
        await performer.until("a begins")
        work.deliver(STOP)
        assert session.seen == [Told("go")]
        performer.gates["a"].set()


async def test_lanes_run_side_by_side_and_do_not_hold_up_the_session() -> None:
    performer = Performer()
    effects = (Do("up", Lane.UPLOAD), Do("down", Lane.DOWNLOAD))
    session = FakeSession(answers(go=effects, more=(Do("said"),)))
    performer.gates["up"] = asyncio.Event()
    work = driver(session, performer)
    work.deliver(Told("go"))
    async with running(work):
        await performer.until("down ends")
        work.deliver(Told("more"))
        await performer.until("said ends")
        assert "up ends" not in performer.noted
        performer.gates["up"].set()
        await performer.until("up ends")
        work.deliver(STOP)
    assert Told("down done") in session.seen


async def test_two_store_effects_in_one_lane_are_a_defect() -> None:
    effects = (Do("one", Lane.UPLOAD), Do("two", Lane.UPLOAD))
    work = driver(FakeSession(answers(go=effects)), Performer())
    work.deliver(Told("go"))
    with pytest.raises(ImpossibleTransition, match="upload lane"):
        await work.run()


async def test_of_hints_only_the_newest_of_each_kind_is_heard_and_after_everything_else() -> None:
    session = FakeSession()
    work = driver(session, Performer())
    for version in range(100):
        work.deliver(HeadMoved("e", version))
        work.deliver(EntryRecorded(version, "i"))
    work.deliver(Told("first"))
    async with running(work) as task:
        while len(session.seen) < 3:
            await asyncio.sleep(0)
        assert not task.done()
        work.deliver(STOP)
    assert session.seen == [Told("first"), EntryRecorded(99, "i"), HeadMoved("e", 99), STOP]


async def test_frames_beyond_the_bound_wait_outside() -> None:
    session = FakeSession()
    work = driver(session, Performer())
    for index in range(INBOX_FRAMES_MAX):
        async with asyncio.timeout(DEADLINE_S):
            await work.deliver_frame(bytes([index]))
    late = asyncio.create_task(work.deliver_frame(b"late"))
    await asyncio.sleep(0)
    assert not late.done()
    async with running(work):
        await late
        work.deliver(STOP)
    frames = [event.frame for event in session.seen if isinstance(event, FrameReceived)]
    assert frames == [*(bytes([index]) for index in range(INBOX_FRAMES_MAX)), b"late"]


async def test_a_reader_that_waits_is_let_go_when_the_session_ends() -> None:
    work = driver(FakeSession(), Performer())
    work.deliver(STOP)
    for _ in range(INBOX_FRAMES_MAX):
        await work.deliver_frame(b"")
    late = asyncio.create_task(work.deliver_frame(b"late"))
    await work.run()
    async with asyncio.timeout(DEADLINE_S):
        await late


async def test_a_link_that_is_lost_while_sending_is_told_to_the_session() -> None:
    performer, session = Performer(), FakeSession(answers(go=(Do("send"),)))
    performer.failures["send"] = LinkLost("gone")
    work = driver(session, performer)
    work.deliver(Told("go"))
    await work.run()
    assert session.seen == [Told("go"), LinkClosed()]


async def test_a_store_that_is_away_is_told_to_the_session_with_its_lane() -> None:
    performer, session = Performer(), FakeSession(answers(go=(Do("store", Lane.DOWNLOAD),)))
    performer.failures["store"] = StoreUnavailable("locked")
    work = driver(session, performer)
    work.deliver(Told("go"))
    await work.run()
    assert session.seen == [Told("go"), StoreFailed(Lane.DOWNLOAD, "locked")]
    assert performer.noted[-1] == "close 4503 ends"


async def test_a_defect_in_a_lane_closes_the_link_and_is_raised() -> None:
    performer, session = Performer(), FakeSession(answers(go=(Do("store", Lane.UPLOAD),)))
    performer.failures["store"] = KeyError("a child's name")
    work = driver(session, performer)
    work.deliver(Told("go"))
    with pytest.raises(KeyError):
        await work.run()
    assert session.seen[-1] == StoreFailed(Lane.UPLOAD, "internal error")
    assert performer.noted[-1] == "close 4503 ends"


async def test_a_defect_outside_the_lanes_is_raised() -> None:
    performer = Performer()
    performer.failures["send"] = KeyError("x")
    work = driver(FakeSession(answers(go=(Do("send"),))), performer)
    work.deliver(Told("go"))
    with pytest.raises(KeyError):
        await work.run()


async def test_a_store_effect_that_is_under_way_is_waited_for_at_the_end() -> None:
    performer = Performer()
    performer.gates["store"] = asyncio.Event()
    work = driver(FakeSession(answers(go=(Do("store", Lane.UPLOAD),))), performer)
    work.deliver(Told("go"))
    async with running(work) as task:
        await performer.until("store begins")
        work.deliver(STOP)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        performer.gates["store"].set()
    assert performer.noted[-1] == "store ends"


async def test_the_timer_fires_when_nothing_else_happens() -> None:
    session = FakeSession(last=TimerFired())
    session.deadline_ms = 0
    await driver(session, Performer()).run()
    assert session.seen == [TimerFired()]


async def test_the_timer_waits_for_its_deadline_and_for_nothing_longer() -> None:
    session = FakeSession(last=TimerFired())
    session.deadline_ms = 20
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.timeout(DEADLINE_S):
        await driver(session, Performer(), lambda: int((loop.time() - start) * 1_000)).run()
    assert session.seen == [TimerFired()]
    assert loop.time() - start >= 0.02


async def test_what_already_arrived_is_heard_before_an_overdue_timer() -> None:
    session = FakeSession()
    session.deadline_ms = -1
    work = driver(session, Performer())
    for index in range(INBOX_FRAMES_MAX):
        work.deliver(Told(str(index)))
    work.deliver(STOP)
    await work.run()
    assert TimerFired() not in session.seen


async def test_a_busy_link_cannot_starve_an_overdue_timer() -> None:
    session = FakeSession()
    session.deadline_ms = -1
    work = driver(session, Performer())
    for index in range(5 * OVERDUE_EVENTS_MAX):
        work.deliver(Told(str(index)))
    work.deliver(STOP)
    await work.run()
    assert session.seen.index(TimerFired()) == OVERDUE_EVENTS_MAX


async def test_the_next_reading_of_the_deadline_decides_after_each_event() -> None:
    def postpone(event: object) -> tuple[()]:
        session.deadline_ms = None
        return ()

    session = FakeSession(postpone)
    session.deadline_ms = -1
    work = driver(session, Performer())
    for index in range(5 * OVERDUE_EVENTS_MAX):
        work.deliver(Told(str(index)))
    work.deliver(STOP)
    await work.run()
    assert TimerFired() not in session.seen


async def test_a_store_effect_that_never_ends_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.driver.LANE_DRAIN_S", 0.01)
    performer = Performer()
    performer.gates["store"] = asyncio.Event()
    work = driver(FakeSession(answers(go=(Do("store", Lane.UPLOAD),))), performer)
    work.deliver(Told("go"))
    async with running(work):
        await performer.until("store begins")
        work.deliver(STOP)
    assert performer.noted == ["store begins"]


async def test_an_effect_outside_the_lanes_may_lead_to_an_event_and_one_inside_to_none() -> None:
    """A nonce is made at once; and a store effect of a session that is over may have nothing to say."""

    async def perform(effect: Do | CloseLink) -> object | None:
        return Told("made") if effect == Do("make") else None

    session = FakeSession(answers(go=(Do("make"), Do("store", Lane.RIGHTS)), made=()), last=Told("made"))
    work = Driver(session, perform, lambda: 0)
    work.deliver(Told("go"))
    await work.run()
    assert session.seen == [Told("go"), Told("made")]
