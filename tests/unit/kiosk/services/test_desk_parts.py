"""The parts of a desk on their own: what it knows, how sure it is, its times, and its bounded messages."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from kiosk.clock import Ids
from kiosk.keys import DeviceKeys, KeysUnreadable, new_keys, read_keys, write_keys
from kiosk.messages import Mark, Presence, Resync, RosterChanged
from kiosk.services.knowledge import Knowledge
from kiosk.services.moments import rfc3339, utc_offset_min
from kiosk.services.recording import possible_time
from kiosk.services.roster import line_of, needs_review, standing
from kiosk.services.subscription import Hub, Subscription
from kiosk.store.journal import OwnEntry
from kiosk.store.records import StoredRecord
from sync.attendance import ChildAttendance
from sync.change_log import Change
from sync.intake import WITNESSED_KIND
from sync.journal import Outcome
from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.records import ChildRecord, Entity
from tests.support.kiosk import CHILD_ID, NOON_MS, Log, uuid_of
from tests.unit.kiosk.services.own_entries import TODAY, own


@pytest.mark.parametrize(
    ("outcome", "status", "mark"),
    [
        (None, Presence.IN, Mark.RECORDED),
        (Outcome.APPLIED, Presence.IN, Mark.CONFIRMED),
        (Outcome.PARKED, Presence.NOT_ARRIVED, Mark.NEEDS_REVIEW),
    ],
)
def test_a_line_says_how_sure_it_is(outcome: Outcome | None, status: Presence, mark: Mark) -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own(1, outcome, version=6 if outcome is Outcome.APPLIED else 0))
    stand = standing(knowledge, CHILD_ID, TODAY)
    assert (stand.status, stand.mark) == (status, mark)


def told_of(number: int) -> Change:
    log = Log()
    log.put_event(number)
    return log.changes[0]


def seen_elsewhere(outcome: Outcome | None, version: int = 0) -> OwnEntry:
    """An event of another desk that a restored server lost, as this desk tells of it."""
    return replace(own(1, outcome, version), kind=WITNESSED_KIND, body=told_of(1).body.decode())


@pytest.mark.parametrize(
    ("outcome", "version", "status", "mark"),
    [
        (None, 0, Presence.IN, Mark.RECORDED),
        (Outcome.APPLIED, 6, Presence.IN, Mark.CONFIRMED),
        (Outcome.DUPLICATE, 6, Presence.IN, Mark.CONFIRMED),
        (Outcome.PARKED, 0, Presence.NOT_ARRIVED, Mark.NONE),
        (Outcome.APPLIED, 5, Presence.NOT_ARRIVED, Mark.NONE),
    ],
)
def test_a_child_that_another_desk_took_in_stays_in_until_the_restored_server_has_the_event_again(
    outcome: Outcome | None, version: int, status: Presence, mark: Mark
) -> None:
    knowledge = Knowledge("device")
    knowledge.load(5, [], [seen_elsewhere(outcome, version)])
    stand = standing(knowledge, CHILD_ID, TODAY)
    assert (stand.status, stand.mark) == (status, mark)


def test_what_was_witnessed_counts_once_when_its_record_comes_back() -> None:
    knowledge = Knowledge("device")
    knowledge.load(5, [], [seen_elsewhere(None)])
    knowledge.add_own(seen_elsewhere(Outcome.APPLIED, 6))
    knowledge.apply(6, [msgspec.structs.replace(told_of(1), version=6)])
    assert list(knowledge.facts(CHILD_ID)) == [uuid_of(1)]
    assert not knowledge.is_own(uuid_of(1))


def test_an_own_entry_and_its_record_are_one_event() -> None:
    knowledge = Knowledge("device", version=0)
    knowledge.add_own(own(1, None))
    log = Log()
    log.put_event(1)
    news = knowledge.apply(1, log.changes)
    assert news.events == ((CHILD_ID, uuid_of(1)),)
    assert list(knowledge.facts(CHILD_ID)) == [uuid_of(1)]


def test_the_record_is_the_truth_once_its_version_is_applied() -> None:
    knowledge = Knowledge("device", version=0)
    knowledge.add_own(own(1, Outcome.APPLIED, version=1))
    assert standing(knowledge, CHILD_ID, TODAY).status is Presence.IN
    knowledge.apply(2, [])
    assert standing(knowledge, CHILD_ID, TODAY).status is Presence.NOT_ARRIVED


def test_a_settled_entry_is_never_unsettled_by_late_news() -> None:
    knowledge = Knowledge("device")
    knowledge.add_own(own(1, Outcome.APPLIED, version=9))
    knowledge.add_own(own(1, None))
    assert knowledge.waiting() == 0


def test_a_record_of_a_newer_server_is_left_out_and_harms_nothing() -> None:
    knowledge = Knowledge("device")
    records = [
        StoredRecord("reference", "spaceship", "1", 1, "{}"),
        StoredRecord("reference", "child", "2", 2, '{"given_name": 7}'),
        StoredRecord("day:2026-09-21", "event", "3", 3, '{"event": {"kind": "teleported"}}'),
        StoredRecord("reference", "child", "4", 4, ""),
    ]
    knowledge.load(4, records, [])
    assert knowledge.children == {}


@pytest.mark.parametrize(
    ("wall_ms", "offset_ms", "expected"),
    [
        (NOON_MS, 5, (NOON_MS, 5)),
        (NOON_MS, None, (NOON_MS, None)),
        (0, NOON_MS, (NOON_MS, 0)),
        (0, None, (WALL_MS_MIN, None)),
        (2**62, None, (WALL_MS_MAX, None)),
    ],
)
def test_a_clock_that_is_years_off_never_stops_a_desk(
    wall_ms: int, offset_ms: int | None, expected: tuple[int, int | None]
) -> None:
    assert possible_time(wall_ms, offset_ms) == expected


def test_times_no_calendar_has_are_no_times() -> None:
    assert rfc3339(None) is None
    assert rfc3339(2**62) is None
    assert rfc3339(NOON_MS) == "2026-09-21T14:13:20.000Z"
    assert utc_offset_min(NOON_MS, "Europe/Paris") == 120
    assert utc_offset_min(2**62, "Europe/Paris") == 0


class StandingClock:
    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic_ms(self) -> int:
        return 0

    def boot_id(self) -> str:
        return "boot"


def test_ids_grow_also_when_the_clock_steps_back() -> None:
    clock = StandingClock()
    ids = Ids(clock, bytes)
    first = [ids.new() for _ in range(5)]
    clock.now_ms -= 3_600_000
    second = [ids.new() for _ in range(5)]
    assert first + second == sorted({*first, *second})
    assert all(made[14] == "7" and made[19] in "89ab" for made in first + second)


async def test_who_does_not_keep_up_is_told_to_ask_again() -> None:
    hub = Hub()
    slow = Subscription(hub, messages_max=3)
    for _ in range(4):
        slow.put(RosterChanged())
    slow.put(RosterChanged())
    slow.close()
    assert [message async for message in slow] == [Resync(4), RosterChanged()]


async def test_closing_the_hub_ends_whoever_waits() -> None:
    hub = Hub()
    messages = hub.subscribe()
    waiter = asyncio.create_task(anext(messages))
    await asyncio.sleep(0)
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await waiter


def test_keys_survive_the_disk_and_damage_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    keys = new_keys("https://rollcall.example", "Desk", bytes)
    assert read_keys(path) is None
    write_keys(path, keys)
    assert read_keys(path) == keys
    assert isinstance(keys, DeviceKeys)
    assert len(keys.public_key) == 43
    path.write_text("{")
    with pytest.raises(KeysUnreadable):
        read_keys(path)
    assert path.read_text() == "{"


def other(number: int, kind: str, outcome: Outcome | None) -> OwnEntry:
    """An entry that is about no child, though it may hold an event of one."""
    entry = own(number, outcome)
    return OwnEntry(**{**vars(entry), "kind": kind})


@pytest.mark.parametrize("kind", ["witnessed", "device_incident"])
def test_what_a_desk_says_of_itself_waits_and_is_no_child_s_own_entry(kind: str) -> None:
    knowledge = Knowledge("device")
    knowledge.add_own(other(1, kind, None))
    assert knowledge.waiting() == 1
    assert knowledge.newest_own(CHILD_ID) is None
    assert not knowledge.is_own(uuid_of(1))
    assert standing(knowledge, CHILD_ID, TODAY).status is Presence.NOT_ARRIVED
    knowledge.add_own(other(1, kind, Outcome.PARKED))
    assert (knowledge.waiting(), knowledge.parked()) == (0, [])


def test_an_answer_that_was_taken_back_shows_as_recorded_again_once_the_store_says_so() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own(1, Outcome.APPLIED, version=6))
    knowledge.load(5, [], [own(1, None)])
    assert standing(knowledge, CHILD_ID, TODAY).mark is Mark.RECORDED
    assert knowledge.waiting() == 1


def test_an_entry_that_was_recorded_while_the_store_was_read_stays_known() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own(1, None))
    knowledge.load(5, [], [])
    assert knowledge.waiting() == 1


def test_facts_that_vanished_with_an_old_replica_are_missed() -> None:
    knowledge = Knowledge("device")
    log = Log()
    log.put_event(1)
    knowledge.apply(1, log.changes)
    news = knowledge.load(1, [], [])
    assert (news.lost, news.events) == (True, ())
    assert not knowledge.load(1, [], []).lost


def test_the_newest_entry_of_a_child_is_the_latest_in_any_journal() -> None:
    knowledge = Knowledge("device")
    older = OwnEntry(**{**vars(own(7, None)), "hlc": 7})
    newer = OwnEntry(**{**vars(own(8, None)), "hlc": 8, "seq": 1, "incarnation": "another"})
    knowledge.add_own(newer)
    knowledge.add_own(older)
    found = knowledge.newest_own(CHILD_ID)
    assert found is not None
    assert found.event_id == newer.event_id


def child_of(knowledge: Knowledge) -> ChildAttendance:
    """The fold of the one child, asked for as the status line asks: many times."""
    assert knowledge.attendance(CHILD_ID) is knowledge.attendance(CHILD_ID)
    return knowledge.attendance(CHILD_ID)


def test_an_answer_that_changes_no_fact_folds_nobody_again() -> None:
    knowledge = Knowledge("device", version=0)
    knowledge.add_own(own(1, None))
    before = child_of(knowledge)
    knowledge.add_own(own(1, Outcome.APPLIED, version=1))
    assert child_of(knowledge) is before
    log = Log()
    log.put_event(2)
    knowledge.apply(1, log.changes)
    assert child_of(knowledge) is not before


def test_each_thing_that_changes_a_fact_folds_the_child_again() -> None:
    knowledge = Knowledge("device", version=0)
    log = Log()

    def events() -> list[str]:
        child_of(knowledge)
        orders = sorted(order[-1] for order in knowledge.orders(CHILD_ID))
        assert orders == sorted(knowledge.facts(CHILD_ID))
        opened = knowledge.attendance(CHILD_ID).open_stay
        assert (opened is None) == (orders == [])
        return orders

    knowledge.add_own(own(3, None))
    assert events() == [uuid_of(3)]
    log.put_event(1)
    knowledge.apply(1, log.changes)
    assert events() == [uuid_of(1), uuid_of(3)]
    knowledge.add_own(own(3, Outcome.PARKED))
    assert events() == [uuid_of(1)]
    log.remove(Entity.EVENT, uuid_of(1))
    knowledge.apply(2, log.changes[1:])
    assert events() == []
    knowledge.add_own(own(4, Outcome.APPLIED, version=9))
    assert events() == [uuid_of(4)]
    knowledge.apply(9, [])  # the log has come to where the answer stands, and its record is not there
    assert events() == []
    knowledge.load(9, [StoredRecord("day", "event", uuid_of(1), 1, log.changes[0].body.decode())], [])
    assert events() == [uuid_of(1)]
    knowledge.load(9, [], [])
    assert events() == []


def test_a_fact_that_is_told_otherwise_takes_another_place() -> None:
    knowledge = Knowledge("device", version=0)
    knowledge.add_own(own(1, None))
    (before,) = knowledge.orders(CHILD_ID)
    knowledge.add_own(OwnEntry(**{**vars(own(1, None)), "seq": 7, "hlc": 70, "incarnation": "another"}))
    (after,) = knowledge.orders(CHILD_ID)
    assert before != after
    assert after == next(iter(knowledge.facts(CHILD_ID).values())).order


def test_parked_entries_are_known_without_looking_at_all_entries() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own(1, Outcome.PARKED))
    knowledge.add_own(own(2, Outcome.APPLIED))
    assert [entry.event_id for entry in knowledge.parked()] == [uuid_of(1)]
    knowledge.load(5, [], [own(1, Outcome.APPLIED, version=5), own(2, Outcome.PARKED)])
    assert [entry.event_id for entry in knowledge.parked()] == [uuid_of(2)]
    knowledge.load(5, [], [])
    assert knowledge.parked() == []


@pytest.mark.parametrize("outcome", [None, Outcome.APPLIED, Outcome.PARKED])
@pytest.mark.parametrize("minutes", [[0], [0, 20], [0, 20, 40]])
def test_who_needs_review_is_who_is_marked_so(outcome: Outcome | None, minutes: list[int]) -> None:
    """Check-ins far apart contradict each other; what is asked in short agrees with the whole line."""
    knowledge = Knowledge("device", version=5)
    log = Log()
    log.put(Entity.CHILD, CHILD_ID, ChildRecord(given_name="Ada", family_name="Abel"))
    for minute in minutes:
        log.put_event(1 + minute * 60_000)
    knowledge.apply(len(log.changes), log.changes)
    knowledge.add_own(own(2, outcome, version=99 if outcome is Outcome.APPLIED else 0))
    marked = line_of(knowledge, CHILD_ID, (NOON_MS - 1, NOON_MS + 10_000_000)).mark is Mark.NEEDS_REVIEW
    assert needs_review(knowledge, CHILD_ID, (NOON_MS - 1, NOON_MS + 10_000_000)) == marked
    assert marked == (outcome is Outcome.PARKED or (outcome is Outcome.APPLIED and len(minutes) > 1))
