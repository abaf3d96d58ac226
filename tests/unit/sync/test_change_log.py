"""The change log: dense versions, commitments, whole units."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.change_log import (
    Change,
    ChangeDraft,
    Operation,
    check_changes,
    commitment_of,
    cut_page,
    genesis,
    number,
    weight,
)
from sync.errors import BrokenChain
from sync.limits import (
    FRAME_BYTES_MAX,
    PAGE_CHANGES_MAX,
    PAYLOAD_BYTES_MAX,
    RECORD_BODY_BYTES_MAX,
    SILENCE_MAX_MS,
    UNIT_BYTES_MAX,
)
from tests.unit.sync.builders import CENTER, EPOCH, change_draft, instances, log_of, salt


def changes_of(drafts: list[ChangeDraft]) -> tuple[Change, ...]:
    return tuple(row.change for row in log_of(drafts)[2])


# -- numbering


def test_versions_follow_the_head_without_a_gap() -> None:
    start, middle, rows = log_of([change_draft(1), change_draft(2)])
    end, more = number(middle, [change_draft(3)], [salt()])
    assert [row.change.version for row in (*rows, *more)] == [1, 2, 3]
    assert (start.version, middle.version, end.version) == (0, 2, 3)
    assert middle.hash == rows[-1].hash
    assert end.hash == more[-1].hash
    assert end.epoch == EPOCH


def test_nothing_to_number_leaves_the_head_where_it_is() -> None:
    start = genesis(CENTER, EPOCH)
    assert number(start, [], []) == (start, ())


def test_the_last_draft_always_ends_a_unit() -> None:
    changes = changes_of([change_draft(1, ends_unit=False), change_draft(2, ends_unit=False)])
    assert [change.transaction_last for change in changes] == [False, True]


def test_no_two_logs_begin_alike() -> None:
    assert len({genesis(center, epoch).hash for center in ("a", "ab") for epoch in ("c", "bc")}) == 4


def test_a_missing_salt_is_refused() -> None:
    with pytest.raises(ValueError, match="salt"):
        number(genesis(CENTER, EPOCH), [change_draft(1), change_draft(2)], [salt()])


def test_a_unit_of_too_many_changes_is_refused() -> None:
    drafts = [change_draft(n, ends_unit=False, body_bytes=0) for n in range(PAGE_CHANGES_MAX + 1)]
    with pytest.raises(ValueError, match="does not fit one page"):
        log_of(drafts)


def test_a_unit_of_too_many_bytes_is_refused() -> None:
    drafts = [change_draft(n, ends_unit=False, body_bytes=RECORD_BODY_BYTES_MAX) for n in range(4)]
    with pytest.raises(ValueError, match="version 4 does not fit"):
        log_of(drafts)


def test_units_that_each_fit_are_not_added_up() -> None:
    drafts = [change_draft(n, body_bytes=RECORD_BODY_BYTES_MAX) for n in range(10)]
    assert len(changes_of(drafts)) == 10


# -- cutting


def test_a_page_ends_with_the_last_whole_unit() -> None:
    changes = changes_of([change_draft(n, ends_unit=n % 3 == 0) for n in range(1, 10)])
    assert cut_page(changes[:8]) == changes[:6]


def test_half_a_unit_is_no_page() -> None:
    changes = changes_of([change_draft(n, ends_unit=False) for n in range(3)])
    assert cut_page(changes[:2]) == ()
    assert cut_page(()) == ()


def test_a_page_holds_at_most_the_agreed_number() -> None:
    drafts = [change_draft(n, body_bytes=0, ends_unit=n >= PAGE_CHANGES_MAX) for n in range(1, PAGE_CHANGES_MAX + 5)]
    assert len(cut_page(changes_of(drafts))) == PAGE_CHANGES_MAX


def test_a_page_ends_before_it_outweighs_what_a_slow_link_moves_in_time() -> None:
    changes = changes_of([change_draft(n, body_bytes=20_000) for n in range(5)])
    assert cut_page(changes) == changes[:3]
    assert PAYLOAD_BYTES_MAX * 8 / 64_000 * 1_000 < SILENCE_MAX_MS


def test_a_unit_that_outweighs_a_page_travels_alone_in_one_frame() -> None:
    drafts = [change_draft(n, ends_unit=n == 3, body_bytes=RECORD_BODY_BYTES_MAX) for n in (1, 2, 3)]
    changes = changes_of([*drafts, change_draft(4)])
    page = cut_page(changes)
    assert page == changes[:3]
    assert len(msgspec.msgpack.encode(page)) < FRAME_BYTES_MAX


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60_000)), min_size=1, max_size=20))
def test_pages_follow_each_other_to_the_end_and_never_split_a_unit(told: list[tuple[bool, int]]) -> None:
    drafts = [change_draft(n, ends_unit=ends, body_bytes=size) for n, (ends, size) in enumerate(told)]
    try:
        start, end, rows = log_of(drafts)
    except ValueError:
        return  # a unit that fits no page is refused at its birth: tested above
    rest, head = tuple(row.change for row in rows), start
    while rest:
        page = cut_page(rest)
        assert page
        assert page[-1].transaction_last
        weighs, units = sum(weight(change) for change in page), sum(change.transaction_last for change in page)
        assert weighs <= (UNIT_BYTES_MAX if units == 1 else PAYLOAD_BYTES_MAX)
        head, rest = check_changes(head, page), rest[len(page) :]
    assert head == end


@given(instances(Change))
def test_a_change_with_ids_as_they_are_weighs_at_least_what_it_takes_on_the_wire(change: Change) -> None:
    usual = msgspec.structs.replace(change, bucket="day:2026-09-21", entity="pickup", entity_id=EPOCH)
    assert len(msgspec.msgpack.encode(usual)) <= weight(usual)


# -- checking


def test_a_log_checks_from_its_beginning_and_from_any_unit() -> None:
    start, end, rows = log_of([change_draft(n) for n in range(4)])
    changes = tuple(row.change for row in rows)
    assert check_changes(start, changes) == end
    middle = check_changes(start, changes[:2])
    assert middle.hash == rows[1].hash
    assert check_changes(middle, changes[2:]) == end
    assert check_changes(end, ()) == end


def test_a_missing_version_is_noticed() -> None:
    start, _, rows = log_of([change_draft(n) for n in range(3)])
    with pytest.raises(BrokenChain, match="version 2 is missing"):
        check_changes(start, (rows[0].change, rows[2].change))


def test_half_a_unit_at_the_end_is_noticed() -> None:
    start, _, rows = log_of([change_draft(1, ends_unit=False), change_draft(2)])
    with pytest.raises(BrokenChain, match="middle of a unit"):
        check_changes(start, (rows[0].change,))


def test_another_body_is_noticed() -> None:
    start, _, rows = log_of([change_draft(1)])
    with pytest.raises(BrokenChain, match="committed"):
        check_changes(start, (msgspec.structs.replace(rows[0].change, body=b"other"),))


def test_a_body_that_comes_without_its_salt_is_not_believed() -> None:
    start, _, rows = log_of([change_draft(1)])
    with pytest.raises(BrokenChain, match="committed"):
        check_changes(start, (msgspec.structs.replace(rows[0].change, body=b"other", salt=b""),))


@pytest.mark.parametrize(
    "change",
    [
        {"entity": "child"},
        {"entity_id": "x"},
        {"operation": Operation.REMOVE},
        {"commitment": bytes(32), "salt": b"", "body": b""},
    ],
)
def test_anything_else_that_was_changed_gives_another_hash(change: dict[str, object]) -> None:
    start, end, rows = log_of([change_draft(1)])
    assert check_changes(start, (msgspec.structs.replace(rows[0].change, **change),)).hash != end.hash


def test_texts_that_only_join_alike_hash_differently() -> None:
    start, _, rows = log_of([change_draft(1)])
    one = msgspec.structs.replace(rows[0].change, entity="ab", entity_id="c")
    other = msgspec.structs.replace(rows[0].change, entity="a", entity_id="bc")
    assert check_changes(start, (one,)).hash != check_changes(start, (other,)).hash


def test_equal_bodies_cannot_be_told_from_their_commitments() -> None:
    assert commitment_of(salt(1), b"Ann") != commitment_of(salt(2), b"Ann")


def test_an_erased_body_still_verifies() -> None:
    start, end, rows = log_of([change_draft(n) for n in range(3)])
    erased = [msgspec.structs.replace(row.change, body=b"", salt=b"") for row in rows[:2]]
    assert check_changes(start, (*erased, rows[2].change)) == end


def test_a_removal_has_an_empty_body_under_a_salt() -> None:
    gone = ChangeDraft(
        bucket="reference",
        entity="room",
        entity_id="1",
        operation=Operation.REMOVE,
        body=b"",
        ends_unit=True,
    )
    start, end, rows = log_of([gone])
    assert rows[0].change.commitment == commitment_of(salt(), b"")
    assert check_changes(start, (rows[0].change,)) == end
