"""Records as devices see them: their bytes, and which day a moment belongs to."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.limits import WALL_MS_MAX, WALL_MS_MIN
from sync.ratio_presets import PRESETS
from sync.records import (
    RECORD_TYPES,
    SNAPSHOT_PRIORITY,
    CenterRecord,
    ChildRecord,
    Entity,
    bucket_of_day,
    day_bounds_ms,
    encode_record,
)

HOUR_MS = 3_600_000
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Auckland",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # moves by half an hour
    "America/Havana",  # falls back to midnight
    "Asia/Beirut",  # springs forward at midnight
    "America/Sao_Paulo",  # did so too, until 2019
    "Pacific/Apia",  # skipped a whole day in 2011
    "UTC",
)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-09-21", "Europe/Berlin", 24),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2018-11-04", "America/Sao_Paulo", 23),
        ("2018-02-17", "America/Sao_Paulo", 25),
        ("2026-11-01", "America/Havana", 25),
    ],
)
def test_a_day_is_as_long_as_the_centres_clocks_say(day: str, zone: str, hours: float) -> None:
    start_ms, end_ms = day_bounds_ms(day, zone)
    assert (end_ms - start_ms) / HOUR_MS == hours
    assert bucket_of_day(start_ms, zone) == f"day:{day}"
    assert bucket_of_day(end_ms - 1, zone) == f"day:{day}"
    assert bucket_of_day(start_ms - 1, zone) < f"day:{day}" < bucket_of_day(end_ms, zone)


@given(st.integers(WALL_MS_MIN, WALL_MS_MAX - 1), st.sampled_from(ZONES))
def test_every_moment_lies_within_the_bounds_of_its_own_day(at_ms: int, zone: str) -> None:
    start_ms, end_ms = day_bounds_ms(bucket_of_day(at_ms, zone).removeprefix("day:"), zone)
    assert start_ms <= at_ms < end_ms


def test_midnight_belongs_to_the_day_that_begins() -> None:
    midnight_ms, _ = day_bounds_ms("2026-09-22", "Pacific/Auckland")
    assert bucket_of_day(midnight_ms, "Pacific/Auckland") == "day:2026-09-22"
    assert bucket_of_day(midnight_ms, "UTC") == "day:2026-09-21"


def test_every_entity_has_a_record_and_a_place_in_the_snapshot() -> None:
    assert set(RECORD_TYPES) == set(Entity)
    assert sorted(SNAPSHOT_PRIORITY) == sorted(Entity)


def test_what_keeps_children_safe_comes_before_what_happened() -> None:
    assert SNAPSHOT_PRIORITY.index(Entity.CHILD) < SNAPSHOT_PRIORITY.index(Entity.EVENT)
    assert SNAPSHOT_PRIORITY.index(Entity.PICKUP) < SNAPSHOT_PRIORITY.index(Entity.ADULT)


def test_a_record_is_plain_json_and_reads_back() -> None:
    child = ChildRecord(given_name="Zoë", family_name="Day")
    body = encode_record(child)
    assert body.startswith('{"given_name":"Zoë","family_name":"Day",'.encode())
    assert msgspec.json.decode(body, type=ChildRecord) == child


def test_a_record_of_a_later_version_reads_with_what_is_known_here() -> None:
    told = b'{"given_name":"A","family_name":"B","later":[1]}'
    assert msgspec.json.decode(told, type=ChildRecord) == ChildRecord(given_name="A", family_name="B")


def test_a_centre_without_ratio_rules_has_the_bytes_that_it_always_had() -> None:
    before = b'{"code":"OAK","name":"Oak House","time_zone":"Europe/Paris"}'
    center = CenterRecord(code="OAK", name="Oak House", time_zone="Europe/Paris")
    assert encode_record(center) == before
    assert encode_record(msgspec.json.decode(before, type=CenterRecord)) == before


def test_ratio_rules_stand_behind_what_a_centre_always_said() -> None:
    rules = tuple(PRESETS.values())
    center = CenterRecord(code="OAK", name="Oak House", time_zone="Europe/Paris", ratio_rules=rules)
    body = encode_record(center)
    assert body.startswith(
        b'{"code":"OAK","name":"Oak House","time_zone":"Europe/Paris","ratio_rules":[{"name":"CFOC",'
    )
    assert msgspec.json.decode(body, type=CenterRecord) == center
