"""One number for each bucket that is the same wherever the same records are held."""

from hypothesis import given
from hypothesis import strategies as st

from sync.digest import Held, digests, sums, wire_digests
from sync.limits import BUCKETS_MAX
from sync.messages import BucketDigest
from tests.unit.sync.builders import salt, uuid_of

held = st.builds(
    Held,
    bucket=st.sampled_from(["reference", "day:2026-09-21"]),
    entity=st.sampled_from(["room", "child"]),
    entity_id=st.integers(0, 9).map(uuid_of),
    version=st.integers(1, 9),
    commitment=st.integers(0, 3).map(salt),
)


ROOM = Held("reference", "room", uuid_of(1), 4, salt())


@given(st.lists(held, max_size=8), st.data())
def test_a_digest_does_not_depend_on_order(records: list[Held], data: st.DataObject) -> None:
    assert digests(data.draw(st.permutations(records))) == digests(records)


@given(st.lists(held, min_size=1, max_size=8, unique=True))
def test_a_record_that_is_missing_is_noticed_in_its_bucket_only(records: list[Held]) -> None:
    lost, *rest = records
    before, after = digests(records), digests(rest)
    assert before[lost.bucket] != after.get(lost.bucket)
    assert {bucket for bucket in before if before[bucket] != after.get(bucket)} == {lost.bucket}


def test_everything_about_a_record_counts() -> None:
    others = [
        ROOM._replace(entity="child"),
        ROOM._replace(entity_id=uuid_of(2)),
        ROOM._replace(version=5),
        ROOM._replace(commitment=salt(2)),
    ]
    assert len({digests([record])["reference"] for record in (ROOM, *others)}) == 5


def test_a_digest_is_64_hexadecimal_digits_and_an_empty_bucket_has_none() -> None:
    assert digests([]) == {}
    told = digests([ROOM, ROOM._replace(bucket="day:2026-09-21")])
    assert list(told) == ["day:2026-09-21", "reference"]
    assert all(len(digest) == 64 and int(digest, 16) for digest in told.values())


def test_on_the_wire_a_digest_is_thirty_two_bytes() -> None:
    (told,) = wire_digests(sums([ROOM]))
    assert told == BucketDigest("reference", bytes.fromhex(digests([ROOM])["reference"]))


def test_when_there_are_too_many_days_the_newest_are_told_and_never_instead_of_the_reference() -> None:
    days = {f"day:{year}-01-01": year for year in range(1_900, 1_900 + 2 * BUCKETS_MAX)}
    told = [digest.bucket for digest in wire_digests({**days, "reference": 1})]
    newest = sorted(days, reverse=True)[: BUCKETS_MAX - 1]
    assert told == ["reference", *newest]
