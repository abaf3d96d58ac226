"""The server's half of a link: how a snapshot is sent, and what follows it."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.errors import CloseCode, ImpossibleTransition
from sync.messages import Applied
from sync.server_session import State
from tests.unit.sync.builders import EPOCH
from tests.unit.sync.talk import HEAD_VERSION, Hall, close_code, frames, in_snapshot


def test_a_snapshot_is_sent_four_parts_ahead_of_what_is_durable() -> None:
    hall, sent = in_snapshot(6)
    assert sent == [b"part 1", b"part 2", b"part 3", b"part 4"]
    assert frames(hall.hears(Applied(epoch="old", version=0, snapshot_part=1))) == [b"part 5"]
    assert frames(hall.hears(Applied(epoch="old", version=0, snapshot_part=1))) == []
    assert frames(hall.hears(Applied(epoch="old", version=0, snapshot_part=3))) == [b"part 6"]
    effects = hall.hears(Applied(epoch=EPOCH, version=HEAD_VERSION))
    assert effects == (do.RecordApplied(EPOCH, HEAD_VERSION, 0),)
    assert hall.session.state is State.FOLLOWING


def test_what_happened_during_a_snapshot_follows_it() -> None:
    hall, _ = in_snapshot(1)
    assert hall.on(on.HeadMoved(EPOCH, 12)) == ()
    assert hall.hears(Applied(epoch=EPOCH, version=HEAD_VERSION))[-1] == do.LoadPage(HEAD_VERSION)


@pytest.mark.parametrize(
    "applied",
    [
        Applied(epoch=EPOCH, version=0, snapshot_part=5),
        Applied(epoch=EPOCH, version=HEAD_VERSION),
        Applied(epoch=EPOCH, version=HEAD_VERSION - 1),
        Applied(epoch="old", version=HEAD_VERSION),
    ],
)
def test_a_snapshot_is_not_applied_before_it_was_sent(applied: Applied) -> None:
    hall, _ = in_snapshot(6)
    assert close_code(hall.hears(applied)) is CloseCode.PROTOCOL_VIOLATION


def test_a_snapshot_without_a_part_is_a_defect() -> None:
    with pytest.raises(ImpossibleTransition):
        in_snapshot(0)


def follower() -> Hall:
    hall = Hall()
    hall.is_greeted()
    return hall


def test_a_part_is_not_counted_once_the_snapshot_is_over() -> None:
    answer = follower().hears(Applied(epoch="old", version=HEAD_VERSION, snapshot_part=1))
    assert close_code(answer) is CloseCode.PROTOCOL_VIOLATION


def test_a_snapshot_of_another_life_of_the_log_begins_again() -> None:
    hall = Hall(version=0)
    hall.is_greeted()
    snapshot = on.SnapshotLoaded(head=Head("another", 1, bytes(32)), frames=(b"x",))
    assert close_code(hall.on(snapshot)) is CloseCode.COME_BACK_LATER
