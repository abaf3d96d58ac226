"""How a room stands, and what is said of it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from server.core.clock import ms_of
from server.services.board import RoomStatus
from server.services.board_words import FINDING_WORDS, OTHER_FINDING, finding_words, gap_words, ratio_words, status_of
from server.services.live_board import count_around
from sync.desk_coverage import DeskCoverage, Gap
from sync.findings import FindingKind
from sync.ratio import RatioReason, RatioState

NOW = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)


def state(reason: RatioReason, children: int = 6, more: int | None = None, *, adults: int = 100) -> RatioState:
    allowed = None if more is None else children + more
    return RatioState(
        reason=reason, children=children, children_more=more, children_allowed=allowed, counted_percent=adults,
        staff_needed=2, group_cap=8,
    )  # fmt: skip


ENOUGH, NO_RULES = RatioReason.ENOUGH, RatioReason.NO_RULES


@pytest.mark.parametrize(
    ("ratio", "capacity", "status"),
    [
        (state(ENOUGH, more=2), 0, RoomStatus.OK),
        (state(ENOUGH, more=1), 0, RoomStatus.NEAR),
        (state(ENOUGH, more=0), 0, RoomStatus.AT_LIMIT),
        (state(ENOUGH, more=2), 7, RoomStatus.NEAR),
        (state(ENOUGH, more=2), 6, RoomStatus.AT_LIMIT),
        (state(ENOUGH, more=2), 5, RoomStatus.BREACH),
        (state(ENOUGH, more=0), 20, RoomStatus.AT_LIMIT),
        (state(RatioReason.NO_STAFF), 0, RoomStatus.BREACH),
        (state(RatioReason.TOO_FEW_STAFF), 20, RoomStatus.BREACH),
        (state(RatioReason.GROUP_TOO_LARGE), 0, RoomStatus.BREACH),
        (state(RatioReason.BY_CENTER), 20, RoomStatus.OK),
        (state(NO_RULES), 20, RoomStatus.UNKNOWN),
        (state(RatioReason.RULES_UNKNOWN), 7, RoomStatus.NEAR),
        (state(NO_RULES, 0), 20, RoomStatus.OK),
        (state(RatioReason.NOBODY, 0), 0, RoomStatus.OK),
    ],
)
def test_a_room_stands_as_the_worse_of_its_rules_and_its_capacity(
    ratio: RatioState, capacity: int, status: RoomStatus
) -> None:
    assert status_of(ratio, capacity) is status


@pytest.mark.parametrize(
    ("ratio", "says"),
    [
        (state(ENOUGH, more=2), "1 : 6 (at most 8 with 1 adult), 2 more children before another adult"),
        (state(ENOUGH, 5, 1, adults=200), "1 : 2.5 (at most 6 with 2 adults), 1 more child before another adult"),
        (state(ENOUGH, 6, 0, adults=150), "1 : 4 (at most 6 with 1.5 adults), no more children"),
        (state(ENOUGH, 6, 0, adults=0), "6 children, no adults, no more children"),
        (state(RatioReason.NOBODY, 0), "no children"),
        (state(NO_RULES, 1, adults=0), "1 child, no adults; this centre has no ratio rules"),
        (state(RatioReason.RULES_UNKNOWN), "6 children, 1 adult; the ratio rules need a newer version of the server"),
        (state(RatioReason.BY_CENTER), "6 children, 1 adult; the ratio is judged for the whole centre"),
        (state(RatioReason.NO_STAFF, adults=0), "6 children and nobody of the staff; 2 are needed"),
        (state(RatioReason.TOO_FEW_STAFF, 9), "1 : 9, too few adults: 2 are needed"),
        (state(RatioReason.GROUP_TOO_LARGE, 9), "1 : 9, a group may have 8"),
    ],
)
def test_the_words_say_who_is_there_and_what_the_rules_come_to(ratio: RatioState, says: str) -> None:
    assert ratio_words(ratio) == says


def test_every_finding_has_words_and_an_unknown_one_too() -> None:
    assert FINDING_WORDS.keys() == set(FindingKind)
    assert finding_words("of_a_newer_server") == OTHER_FINDING


@pytest.mark.parametrize(
    ("heard", "waiting", "linked", "gap", "says"),
    [
        (None, None, False, Gap.NEVER_HEARD, "Desk 3 has never been heard"),
        (NOW.replace(hour=8), 0, False, Gap.SILENT, "Desk 3 has not been heard since 09:00"),
        (NOW.replace(day=20), 0, False, Gap.SILENT, "Desk 3 has not been heard since 2026-09-20 15:00"),
        (NOW, 1, True, Gap.ENTRIES_WAIT, "Desk 3 had 1 entry to send at 15:00"),
        (NOW, 2, False, Gap.ENTRIES_WAIT, "Desk 3 had 2 entries to send at 15:00 and has not been heard since"),
        (NOW, None, True, Gap.QUEUE_UNKNOWN, "Desk 3 was heard at 15:00 and did not say what it has to send"),
        (NOW, 0, True, None, ""),
    ],
)
def test_a_gap_is_said_in_the_time_of_the_centre(
    heard: datetime | None, waiting: int | None, linked: bool, gap: Gap | None, says: str
) -> None:
    heard_ms = None if heard is None else ms_of(heard)
    desk = DeskCoverage(
        device_id="d", name="Desk 3", heard_until_ms=heard_ms, waiting=waiting, is_linked=linked, gap=gap
    )
    assert gap_words(desk, NOW, ZoneInfo("Europe/Lisbon")) == says


def test_a_count_has_bounds_by_the_entries_that_wait_and_never_below_nobody() -> None:
    assert [(one.certain, one.least, one.most) for one in (count_around(14, 2), count_around(1, 3))] == [
        (14, 12, 16), (1, 0, 4),
    ]  # fmt: skip
