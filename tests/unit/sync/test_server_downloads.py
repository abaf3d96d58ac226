"""What the server's half of downloading does about snapshots that go on, and about buckets that are sent again."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.effects import ServerEffect
from sync.errors import CloseCode, ImpossibleTransition, ProtocolViolation
from sync.limits import BUCKETS_MAX, PAGES_IN_FLIGHT_MAX
from sync.messages import Applied, Plan, StagedSnapshot
from sync.server_downloads import ALL_DIGESTS_EVERY_PAGES, ServerDownloads
from tests.unit.sync.builders import EPOCH
from tests.unit.sync.talk import HEAD_VERSION, frames, page_loaded

REFERENCE = "reference"
NOTHING_STAGED = StagedSnapshot()


def following(*, version: int = HEAD_VERSION, head: int = HEAD_VERSION) -> ServerDownloads:
    return ServerDownloads(plan=Plan.RESUME, epoch=EPOCH, version=version, head_version=head, staged=NOTHING_STAGED)


def snapshot(staged: StagedSnapshot = NOTHING_STAGED, plan: Plan = Plan.SNAPSHOT) -> ServerDownloads:
    half = ServerDownloads(plan=plan, epoch=EPOCH, version=0, head_version=HEAD_VERSION, staged=staged)
    assert half.begin() == (do.LoadSnapshot(staged),)
    return half


def parts(count: int, *, version: int = HEAD_VERSION, epoch: str = EPOCH) -> on.SnapshotLoaded:
    return on.SnapshotLoaded(head=Head(epoch, version, bytes(32)), frames=named("part", count))


def named(what: str, count: int) -> tuple[bytes, ...]:
    return tuple(f"{what} {number}".encode() for number in range(1, count + 1))


def bucket(count: int = 1, *, version: int = HEAD_VERSION, epoch: str = EPOCH) -> on.BucketLoaded:
    return on.BucketLoaded(head=Head(epoch, version, bytes(32)), frames=named("bucket", count))


def applies(half: ServerDownloads, version: int, *, snapshot_part: int = 0) -> tuple[ServerEffect, ...]:
    _, effects = half.applied(Applied(epoch=EPOCH, version=version, snapshot_part=snapshot_part))
    return effects


# -- a snapshot that goes on


@pytest.mark.parametrize("plan", [Plan.SNAPSHOT, Plan.RECONCILE])
def test_a_staged_snapshot_goes_on_behind_the_parts_that_are_durable(plan: Plan) -> None:
    half = snapshot(StagedSnapshot(EPOCH, HEAD_VERSION, 2, 4), plan)
    assert frames(half.snapshot_loaded(parts(4))) == [b"part 3", b"part 4"]
    applies(half, 0, snapshot_part=3)
    applies(half, HEAD_VERSION)
    assert not half.in_snapshot


@pytest.mark.parametrize(
    "staged",
    [
        NOTHING_STAGED,
        StagedSnapshot("another", HEAD_VERSION, 2, 4),
        StagedSnapshot(EPOCH, HEAD_VERSION - 1, 2, 4),
        StagedSnapshot(EPOCH, HEAD_VERSION, 2, 5),
        StagedSnapshot(EPOCH, HEAD_VERSION, 4, 4),
    ],
)
def test_any_other_snapshot_is_sent_from_its_first_part(staged: StagedSnapshot) -> None:
    assert frames(snapshot(staged).snapshot_loaded(parts(4)))[0] == b"part 1"


def test_a_position_before_a_snapshot_was_sent_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolViolation):
        applies(snapshot(), HEAD_VERSION)


# -- repair


def test_a_bucket_is_sent_where_the_device_stands() -> None:
    half = following()
    assert half.repair_wanted(REFERENCE) == (do.LoadBucket(REFERENCE),)
    assert frames(half.bucket_loaded(bucket())) == [b"bucket 1"]
    assert applies(half, HEAD_VERSION) == ()


def test_pages_end_where_the_bucket_stands_and_its_parts_follow_once_they_are_applied() -> None:
    half = following()
    half.repair_wanted(REFERENCE)
    assert half.head_moved(14) == ()
    assert half.bucket_loaded(bucket(2, version=12)) == (do.LoadPage(HEAD_VERSION, 12, all_digests=True),)
    assert frames(half.page_loaded(page_loaded(10, 12, head=14))) == [b"page 10-12"]
    assert frames(applies(half, 12)) == [b"bucket 1", b"bucket 2"]
    assert half.head_moved(15) == ()
    assert applies(half, 0, snapshot_part=1) == ()
    assert applies(half, 12) == (do.LoadPage(12, all_digests=True),)


def test_buckets_are_repaired_one_after_the_other() -> None:
    half = following()
    half.repair_wanted(REFERENCE)
    assert half.repair_wanted("day:2026-03-02") == ()
    assert half.repair_wanted("day:2026-03-02") == ()
    half.bucket_loaded(bucket())
    assert applies(half, HEAD_VERSION) == (do.LoadBucket("day:2026-03-02"),)
    half.bucket_loaded(bucket())
    assert applies(half, HEAD_VERSION) == ()


def test_no_more_parts_of_a_bucket_are_in_flight_than_agreed() -> None:
    half = following()
    half.repair_wanted(REFERENCE)
    assert len(half.bucket_loaded(bucket(9))) == PAGES_IN_FLIGHT_MAX
    assert len(applies(half, 0, snapshot_part=2)) == 2


def test_a_device_that_wants_more_repairs_than_there_are_buckets_breaks_the_protocol() -> None:
    half = following()
    for number in range(BUCKETS_MAX):
        half.repair_wanted(f"bucket {number}")
    with pytest.raises(ProtocolViolation):
        half.repair_wanted("one more")


def test_a_repair_within_a_snapshot_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolViolation):
        snapshot().repair_wanted(REFERENCE)


def test_a_bucket_of_another_life_ends_the_link() -> None:
    half = following()
    half.repair_wanted(REFERENCE)
    with pytest.raises(ProtocolViolation) as raised:
        half.bucket_loaded(bucket(epoch="another"))
    assert raised.value.code is CloseCode.COME_BACK_LATER


@pytest.mark.parametrize("answer", [bucket(0), bucket(version=HEAD_VERSION - 1)])
def test_a_store_that_gives_no_bucket_or_an_old_one_is_a_defect(answer: on.BucketLoaded) -> None:
    half = following()
    half.repair_wanted(REFERENCE)
    with pytest.raises(ImpossibleTransition):
        half.bucket_loaded(answer)


@pytest.mark.parametrize("answer", [bucket(), parts(1), page_loaded(HEAD_VERSION, HEAD_VERSION + 1)])
def test_what_was_not_asked_for_is_a_defect(
    answer: on.BucketLoaded | on.SnapshotLoaded | on.PageLoaded,
) -> None:
    with pytest.raises(ImpossibleTransition):
        hand_over(following(), answer)


def hand_over(half: ServerDownloads, answer: on.BucketLoaded | on.SnapshotLoaded | on.PageLoaded) -> None:
    match answer:
        case on.BucketLoaded():
            half.bucket_loaded(answer)
        case on.SnapshotLoaded():
            half.snapshot_loaded(answer)
        case on.PageLoaded():
            half.page_loaded(answer)


def test_a_page_that_begins_somewhere_else_is_a_defect() -> None:
    half = following(head=HEAD_VERSION + 1)
    half.begin()
    with pytest.raises(ImpossibleTransition):
        half.page_loaded(page_loaded(HEAD_VERSION + 1, HEAD_VERSION + 2))


def test_a_snapshot_without_a_part_is_a_defect() -> None:
    with pytest.raises(ImpossibleTransition):
        snapshot().snapshot_loaded(parts(0))


def test_a_snapshot_of_another_life_ends_the_link() -> None:
    with pytest.raises(ProtocolViolation):
        snapshot().snapshot_loaded(parts(1, epoch="another"))


def test_an_empty_page_is_not_sent_and_says_where_the_head_is() -> None:
    half = following(head=HEAD_VERSION + 1)
    half.begin()
    assert half.page_loaded(page_loaded(HEAD_VERSION, HEAD_VERSION)) == ()
    assert half.head_version == HEAD_VERSION
    assert half.applied_version == HEAD_VERSION


@pytest.mark.parametrize(
    "wrong",
    [
        Applied(epoch="another", version=HEAD_VERSION),
        Applied(epoch=EPOCH, version=HEAD_VERSION, snapshot_part=1),
        Applied(epoch=EPOCH, version=HEAD_VERSION + 1),
        Applied(epoch=EPOCH, version=HEAD_VERSION - 1),
    ],
)
def test_a_position_that_cannot_be_breaks_the_protocol(wrong: Applied) -> None:
    with pytest.raises(ProtocolViolation):
        following().applied(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        Applied(epoch=EPOCH, version=HEAD_VERSION),
        Applied(epoch="another", version=HEAD_VERSION),
        Applied(epoch=EPOCH, version=0, snapshot_part=5),
    ],
)
def test_a_snapshot_that_is_said_to_be_applied_before_it_is_sent_breaks_the_protocol(wrong: Applied) -> None:
    half = snapshot()
    half.snapshot_loaded(parts(9))
    with pytest.raises(ProtocolViolation):
        half.applied(wrong)


# -- which digests a page holds


def test_while_a_device_catches_up_its_pages_hold_all_digests() -> None:
    half = following(version=10, head=14)
    assert half.begin() == (do.LoadPage(10, all_digests=True),)
    (_, asked) = half.page_loaded(page_loaded(10, 12, head=14))
    assert asked == do.LoadPage(12, all_digests=True)
    half.page_loaded(page_loaded(12, 14))
    assert half.head_moved(15) == (do.LoadPage(14),)


def test_now_and_then_a_page_of_a_device_that_follows_holds_all_digests_too() -> None:
    half = ServerDownloads(plan=Plan.UP_TO_DATE, epoch=EPOCH, version=0, head_version=0, staged=NOTHING_STAGED)
    asked = []
    for version in range(1, ALL_DIGESTS_EVERY_PAGES + 3):
        (load,) = half.head_moved(version)
        assert isinstance(load, do.LoadPage)
        asked.append(load.all_digests)
        half.page_loaded(page_loaded(version - 1, version))
        applies(half, version)
    assert [number for number, all_digests in enumerate(asked) if all_digests] == [ALL_DIGESTS_EVERY_PAGES]
