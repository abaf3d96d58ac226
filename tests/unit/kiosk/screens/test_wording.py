"""The words of the status line, for every state that it can be in."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from kiosk.messages import DeskStatus, LinkPhase
from kiosk.widgets.wording import age_text, clock_text, data_text, in_cells, link_text, moment_text, zone_of
from tests.support.fake_desk import MINUTE_MS
from tests.support.sample_desk import MORNING_MS

LISBON = ZoneInfo("Europe/Lisbon")
HOUR_MS = 60 * MINUTE_MS


def status(
    link: LinkPhase,
    *,
    since_ms: int | None = None,
    waiting: int = 0,
    review: int = 0,
    data_ms: int | None = None,
) -> DeskStatus:
    return DeskStatus(
        link=link,
        offline_since_ms=since_ms,
        waiting=waiting,
        needs_review=review,
        version=1,
        head_version=1,
        data_as_of_ms=data_ms,
        center_name="",
        device_name="",
        time_zone="Europe/Lisbon",
        detail="enrol this desk again",
    )


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (status(LinkPhase.ONLINE), "● ONLINE"),
        (status(LinkPhase.ONLINE, waiting=2), "● ONLINE, 2 waiting"),
        (status(LinkPhase.CONNECTING), "… CONNECTING"),
        (status(LinkPhase.OFFLINE), "○ OFFLINE"),
        (
            status(LinkPhase.OFFLINE, since_ms=MORNING_MS - 17 * MINUTE_MS, waiting=12),
            "○ OFFLINE since 07:41, 12 waiting",
        ),
        (status(LinkPhase.CONNECTING, since_ms=MORNING_MS), "○ OFFLINE since 07:58"),
        (status(LinkPhase.OFFLINE, since_ms=MORNING_MS - 24 * HOUR_MS), "○ OFFLINE since 20 Sep"),
        (status(LinkPhase.NEEDS_PERSON), "! NEEDS A PERSON: enrol this desk again"),
        (status(LinkPhase.PAUSED, since_ms=MORNING_MS), "‖ PAUSED by manager: entries kept here"),
        (status(LinkPhase.PAUSED, waiting=12), "‖ PAUSED by manager: 12 kept here"),
    ],
)
def test_the_link_in_words(now: DeskStatus, words: str) -> None:
    assert link_text(now, MORNING_MS, LISBON) == words


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (status(LinkPhase.ONLINE), "no data yet"),
        (status(LinkPhase.ONLINE, data_ms=MORNING_MS), "data up to date"),
        (status(LinkPhase.OFFLINE, data_ms=MORNING_MS), "data just now"),
        (
            status(LinkPhase.OFFLINE, data_ms=MORNING_MS - 90 * MINUTE_MS, review=1),
            "! 1 needs review   data 1 h old",
        ),
        (status(LinkPhase.ONLINE, review=11), "! 11 need review   no data yet"),
        (
            replace(status(LinkPhase.ONLINE, data_ms=MORNING_MS), newer_version="2.0"),
            "newer version: ask for an upgrade   data up to date",
        ),
    ],
)
def test_the_data_in_words(now: DeskStatus, words: str) -> None:
    assert data_text(now, MORNING_MS) == words


def test_ages_have_one_unit_and_never_a_minus() -> None:
    assert [age_text(ms) for ms in (-5, 59_999, MINUTE_MS, HOUR_MS, 49 * HOUR_MS)] == [
        "just now", "just now", "1 min old", "1 h old", "2 d old",
    ]  # fmt: skip


def test_a_time_of_another_day_shows_its_day() -> None:
    assert moment_text(MORNING_MS, MORNING_MS, LISBON) == "07:58"
    assert moment_text(MORNING_MS - 24 * HOUR_MS, MORNING_MS, LISBON) == "20 Sep"


@pytest.mark.parametrize("name", ["", "No/Such", "../etc", "/etc/localtime"])
def test_an_unknown_zone_is_utc(name: str) -> None:
    assert clock_text(MORNING_MS, zone_of(name)) == "06:58"


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("Ana", 5, "Ana  "),
        ("Ana", 3, "Ana"),
        ("Anabela", 5, "Anab…"),
        ("漢字漢字", 5, "漢字…"),
        ("漢字漢", 4, "漢 …"),
        ("Ana", 1, "…"),
    ],
)
def test_what_does_not_fit_its_column_says_so(text: str, cells: int, shown: str) -> None:
    assert in_cells(text, cells) == shown
