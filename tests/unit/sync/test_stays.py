"""Stays as everybody is shown them."""

from sync.stays import ChildAttendance, GrowingStay, InRoom, Stay
from tests.unit.sync.builders import NINE_MS, came, left, uuid_of

OPEN = Stay(check_in=came(1, 0), started_at_ms=NINE_MS)
CLOSED = Stay(check_in=None, check_out=left(2, 0), ended_at_ms=NINE_MS)


def test_only_the_last_stay_can_be_open() -> None:
    assert ChildAttendance((CLOSED, OPEN)).open_stay is OPEN
    assert ChildAttendance((OPEN, CLOSED)).open_stay is None
    assert ChildAttendance().open_stay is None


def test_the_room_is_the_last_one() -> None:
    assert OPEN.room_id == ""
    assert Stay(check_in=None, rooms=(InRoom(1, uuid_of(1)), InRoom(2, uuid_of(2)))).room_id == uuid_of(2)


def test_a_stay_that_grows_is_told_as_it_is_now() -> None:
    growing = GrowingStay(OPEN.check_in, NINE_MS)
    assert growing.told() == OPEN
    assert not growing.is_fresh
    growing.check_out, growing.ended_at_ms, growing.assumed = CLOSED.check_out, NINE_MS, True
    told = growing.told()
    assert (told.is_open, told.assumed, told.check_out) == (False, True, CLOSED.check_out)
