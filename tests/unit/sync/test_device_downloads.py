"""What the device's half of downloading does about snapshots that go on, reconciling, and buckets that differ."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.device_downloads import REPAIRS_MAX, DeviceDownloads
from sync.errors import ImpossibleTransition, ProtocolViolation
from sync.limits import PAGE_DEADLINE_MS, SNAPSHOT_PART_DEADLINE_MS
from sync.messages import Applied, Plan, RepairRequest, SnapshotPart, StagedSnapshot
from tests.unit.sync.builders import EPOCH
from tests.unit.sync.talk import HEAD_VERSION, START_MS, page, part, said_by_device, standing, welcome, with_fields

REFERENCE = "reference"
NOTHING_STAGED = StagedSnapshot()


def downloads(*, staged: StagedSnapshot = NOTHING_STAGED, version: int = HEAD_VERSION) -> DeviceDownloads:
    return DeviceDownloads(
        on.ProgressRead(
            journal=standing(0), epoch=EPOCH, version=version, hash=bytes(32), queue_depth=0, wall_ms=0, staged=staged
        )
    )


def repair(number: int, of: int, bucket: str = REFERENCE) -> SnapshotPart:
    return with_fields(part(number, of), bucket=bucket)


def following(*differing: str) -> DeviceDownloads:
    half = downloads()
    half.welcomed(with_fields(welcome(), differing=differing), START_MS)
    return half


# -- a snapshot that goes on


STAGED = StagedSnapshot(EPOCH, HEAD_VERSION, 2, 4)


def test_a_snapshot_goes_on_behind_the_parts_that_are_staged() -> None:
    half = downloads(staged=STAGED, version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    assert half.arrived(part(3, 4), START_MS) == (do.StoreSnapshotPart(part(3, 4), Plan.SNAPSHOT),)
    assert half.progress == (3, 4)


def test_a_server_that_no_longer_has_that_snapshot_begins_another_one() -> None:
    half = downloads(staged=STAGED, version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    first = part(1, 2, version=HEAD_VERSION + 5)
    assert half.arrived(first, START_MS) == (do.StoreSnapshotPart(first, Plan.SNAPSHOT),)


@pytest.mark.parametrize(
    "wrong",
    [
        part(2, 4),
        part(4, 4),
        part(3, 5),
        part(3, 4, version=HEAD_VERSION + 1),
        with_fields(part(3, 4), epoch="another"),
    ],
)
def test_any_other_part_breaks_the_protocol(wrong: SnapshotPart) -> None:
    half = downloads(staged=STAGED, version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    with pytest.raises(ProtocolViolation):
        half.arrived(wrong, START_MS)


def test_the_store_is_told_when_the_snapshot_is_of_another_life() -> None:
    half = downloads()
    half.welcomed(welcome(Plan.RECONCILE), START_MS)
    assert half.in_snapshot
    assert half.arrived(part(1, 1), START_MS) == (do.StoreSnapshotPart(part(1, 1), Plan.RECONCILE),)


def test_the_replica_is_not_replaced_before_the_journals_are_ready() -> None:
    half = downloads()
    half.welcomed(welcome(Plan.RECONCILE), START_MS)
    half.hold()
    assert half.arrived(part(1, 2), START_MS) == (do.StoreSnapshotPart(part(1, 2), Plan.RECONCILE),)
    half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    assert half.arrived(part(2, 2), START_MS) == ()
    assert half.release() == (do.StoreSnapshotPart(part(2, 2), Plan.RECONCILE),)


# -- repair


def test_a_bucket_that_differs_is_asked_for_at_the_greeting() -> None:
    half = downloads()
    effects = half.welcomed(with_fields(welcome(), differing=(REFERENCE,)), START_MS)
    assert said_by_device(effects) == [RepairRequest(REFERENCE)]
    assert half.deadline == (START_MS + SNAPSHOT_PART_DEADLINE_MS, "the repair of a bucket does not go on")


def test_in_a_snapshot_nothing_is_repaired() -> None:
    half = downloads()
    assert half.welcomed(with_fields(welcome(Plan.SNAPSHOT), differing=(REFERENCE,)), START_MS) == ()


def test_a_bucket_is_repaired_part_by_part_and_the_cursor_stays() -> None:
    half = following(REFERENCE)
    half.arrived(repair(1, 2), START_MS)
    effects = half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=0, snapshot_part=1)]
    half.arrived(repair(2, 2), START_MS)
    effects = half.part_stored(on.SnapshotPartStored(2), START_MS, 0)
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=HEAD_VERSION)]
    assert half.progress == (0, 0)
    assert half.deadline is None


def test_a_page_that_leaves_a_bucket_wrong_has_it_sent_again() -> None:
    half = following()
    half.arrived(page(10, 11), START_MS)
    effects = half.page_stored(on.PageStored(Head(EPOCH, 11, bytes(32)), (REFERENCE,)), START_MS, 0)
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=11), RepairRequest(REFERENCE)]


def test_a_bucket_that_is_being_repaired_is_not_asked_for_twice() -> None:
    half = following(REFERENCE)
    half.arrived(page(10, 11), START_MS)
    effects = half.page_stored(on.PageStored(Head(EPOCH, 11, bytes(32)), (REFERENCE,)), START_MS, 0)
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=11)]


def test_a_bucket_that_no_repair_heals_is_left_after_a_few_tries() -> None:
    half, asked = following(), 0
    for version in range(11, 11 + REPAIRS_MAX + 2):
        half.arrived(page(version - 1, version), START_MS)
        effects = half.page_stored(on.PageStored(Head(EPOCH, version, bytes(32)), (REFERENCE,)), START_MS, 0)
        if RepairRequest(REFERENCE) in said_by_device(effects):
            asked += 1
            half.arrived(with_fields(repair(1, 1), version=version), START_MS)
            half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    assert asked == REPAIRS_MAX


@pytest.mark.parametrize("wrong", [repair(1, 1, bucket="day:2026-03-02"), part(1, 1), repair(2, 2)])
def test_a_repair_that_was_not_asked_for_breaks_the_protocol(wrong: SnapshotPart) -> None:
    half = following(REFERENCE)
    with pytest.raises(ProtocolViolation):
        half.arrived(wrong, START_MS)


def test_a_repair_within_a_snapshot_breaks_the_protocol() -> None:
    half = downloads()
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    with pytest.raises(ProtocolViolation):
        half.arrived(repair(1, 1), START_MS)


# -- our own defects


def test_what_was_not_asked_for_is_a_defect() -> None:
    half = following()
    with pytest.raises(ImpossibleTransition):
        half.page_stored(on.PageStored(Head(EPOCH, 11, bytes(32))), START_MS, 0)
    with pytest.raises(ImpossibleTransition):
        half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    half.arrived(page(10, 11), START_MS)
    with pytest.raises(ImpossibleTransition):
        half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    half = downloads(version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    half.arrived(part(1, 2), START_MS)
    with pytest.raises(ImpossibleTransition):
        half.part_stored(on.SnapshotPartStored(2), START_MS, 0)


# -- how the link stands


def test_a_desk_is_current_once_it_has_reached_the_head_it_was_told_of() -> None:
    half = following()
    assert half.is_current
    half.head_moved(HEAD_VERSION + 1, START_MS + 5)
    assert not half.is_current
    assert half.deadline == (START_MS + 5 + PAGE_DEADLINE_MS, "there is more in the log and no page comes")
    half.head_moved(HEAD_VERSION + 2, START_MS + 90)
    assert half.deadline == (START_MS + 5 + PAGE_DEADLINE_MS, "there is more in the log and no page comes")


def test_in_a_snapshot_a_desk_is_not_current_and_waits_for_the_next_part() -> None:
    half = downloads(version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    assert not half.is_current
    assert half.deadline == (START_MS + SNAPSHOT_PART_DEADLINE_MS, "the snapshot does not go on")
    half.arrived(part(1, 2), START_MS)
    half.arrived(part(2, 2), START_MS)
    half.part_stored(on.SnapshotPartStored(1), START_MS, 0)
    effects = half.part_stored(on.SnapshotPartStored(2), START_MS, 3)
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=HEAD_VERSION, queue_depth=3)]
    assert half.is_current


def test_more_in_flight_than_agreed_breaks_the_protocol() -> None:
    half = following()
    for version in range(10, 14):
        half.arrived(page(version, version + 1), START_MS)
    with pytest.raises(ProtocolViolation):
        half.arrived(page(14, 15), START_MS)


def test_a_page_within_a_snapshot_breaks_the_protocol() -> None:
    half = downloads(version=0)
    half.welcomed(welcome(Plan.SNAPSHOT), START_MS)
    with pytest.raises(ProtocolViolation):
        half.arrived(page(10, 11), START_MS)
