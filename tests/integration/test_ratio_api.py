"""Ratio over the API: rules go in and reach the desks, who is in is judged by them, and a day has its breaches."""

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import pytest

from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.journal import Draft, Entry, head_after, seal
from sync.ratio_presets import PRESETS
from sync.records import CenterRecord, encode_record
from tests.contract.server_world import MINUTE_MS, NOW_MS, Desk, new_id
from tests.support.api import Api, problem
from tests.support.postgres import FreshDatabase
from tests.support.ratio_office import Office

pytestmark = pytest.mark.postgres

ROSTER = """record,external_id,center,given_name,family_name,room,birth_date,role,counts_in_ratio,name
room,OWLS,north,,,,,,,Owls
child,C-1,north,Zoë,O'Neill-Ünal,BEES,2026-01-05,,,
child,C-3,north,Tariq,Aziz,BEES,2025-02-03,,,
child,C-4,north,Mia,Berg,OWLS,2022-04-05,,,
staff,S-1,north,Ruth,Appiah,,,educator,yes,
staff,S-2,north,Sam,Baker,,,support,no,
"""
OWN_RULES = {
    "name": "Our county",
    "mode": "sum_per_band",
    "bands": [
        {"code": "babies", "from_months": 0, "to_months": 24, "children_per_adult": 2, "group_cap": 4},
        {"code": "others", "from_months": 24, "to_months": 156, "children_per_adult": 8},
    ],
    "relaxations": [{"kind": "opening", "minutes": 60, "factor_percent": 200}],
}


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    engine = create_engine(database.urls.app)
    units = UnitsOfWork(engine, clock=api.clock, luck=bytes, new_id=Ids(api.clock).new)
    try:
        yield Office(api, units)
    finally:
        await engine.dispose()


@pytest.fixture
async def full(office: Office) -> Office:
    """A centre with children of known ages, one of unknown age, and staff of whom one does not count."""
    await office.take_in(ROSTER)
    return office


def ms(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def minute_of(moment: str | None) -> int | None:
    return None if moment is None else (ms(moment) - NOW_MS) // MINUTE_MS


# -- rules


async def test_a_centre_begins_without_rules_and_is_shown_examples(office: Office) -> None:
    path = f"/api/v1/centers/{office.center_id}/ratio-rules"
    found = (await office.api.client.get(path, headers=await office.headers("manager"))).json()
    assert found["items"] == []
    assert [preset["preset"] for preset in found["presets"]] == list(PRESETS)
    assert all(preset["description"].endswith("An example: check your local law.") for preset in found["presets"])
    assert b"ratio_rules" not in await office.center_body()


async def test_a_preset_is_chosen_by_name_and_reaches_the_desks(office: Office) -> None:
    before = msgspec.json.decode(await office.center_body(), type=CenterRecord)
    found = await office.rule(preset="cfoc")
    assert [(one["name"], one["effective_from"], len(one["bands"])) for one in found["items"]] == [
        ("CFOC", "2026-01-01", 7)
    ]
    rules = msgspec.structs.replace(PRESETS["cfoc"], effective_from="2026-01-01")
    held = msgspec.structs.replace(before, ratio_rules=(rules,))
    assert await office.center_body() == encode_record(held)
    assert await office.wrong_books() == []


async def test_rules_of_ones_own_are_kept_as_they_were_written(office: Office) -> None:
    found = await office.rule(rules=OWN_RULES)
    (kept,) = found["items"]
    assert {name: kept[name] for name in ("name", "mode", "scope", "rounding")} == {
        "name": "Our county", "mode": "sum_per_band", "scope": "room", "rounding": "each_band",
    }  # fmt: skip
    assert [(band["code"], band["children_per_adult"], band["group_cap"]) for band in kept["bands"]] == [
        ("babies", 2, 4),
        ("others", 8, 0),
    ]
    assert (kept["relaxations"][0]["minutes"], kept["relaxations"][0]["from_minute"]) == (60, None)
    path = f"/api/v1/centers/{office.center_id}/ratio-rules"
    assert (await office.api.client.get(path, headers=await office.headers("manager"))).json() == found


async def test_rules_of_a_later_day_stand_beside_and_those_of_the_same_day_replace(office: Office) -> None:
    await office.rule(preset="england")
    await office.rule(preset="australia", effective_from="2026-09-01")
    version = await office.version()
    await office.rule(preset="australia", effective_from="2026-09-01")
    assert await office.version() == version
    found = await office.rule(preset="england_qualified_teacher")
    assert [(one["name"], one["effective_from"]) for one in found["items"]] == [
        ("England, qualified teacher", "2026-01-01"),
        ("Australia", "2026-09-01"),
    ]
    assert await office.version() == version + 1
    assert await office.wrong_books() == []


async def test_desks_get_the_first_hour_as_a_window_of_the_day_and_another_one_when_the_centre_opens_later(
    office: Office,
) -> None:
    async def windows() -> list[tuple[int | None, int | None, int]]:
        record = msgspec.json.decode(await office.center_body(), type=CenterRecord)
        assert not isinstance(record.ratio_rules, msgspec.UnsetType)
        return [(one.from_minute, one.to_minute, one.minutes) for one in record.ratio_rules[0].relaxations]

    await office.rule(rules=OWN_RULES)
    assert await windows() == [(None, None, 0)]
    center = "record,external_id,name,organisation,time_zone,opens_at,closes_at\n"
    await office.take_in(f"{center}center,north,North House,Hill Nurseries,Europe/Lisbon,07:30,18:00\n")
    assert await windows() == [(450, 510, 0)]
    assert await office.wrong_books() == []


async def test_an_import_leaves_the_rules_where_they_are(office: Office) -> None:
    await office.rule(preset="naeyc_2018")
    version, body = await office.version(), await office.center_body()
    await office.take_in("record,external_id,center,name\nroom,OWLS,north,Owls\n")
    assert (await office.version(), await office.center_body()) == (version + 1, body)
    assert await office.wrong_books() == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "one of the two"),
        ({"preset": "cfoc", "rules": OWN_RULES}, "one of the two"),
        ({"preset": "atlantis"}, "There are these presets: australia, cfoc"),
        ({"preset": "cfoc", "effective_from": "2026-02-30"}, "a day of the calendar"),
        ({"preset": "cfoc", "effective_from": "1999-12-31"}, "in the years 2000 to 2099"),
        ({"preset": "cfoc", "effective_from": "soon"}, "Correct the fields"),
        ({"rules": {**OWN_RULES, "mode": "oldest"}}, "mode is one of"),
        ({"rules": {**OWN_RULES, "bands": []}}, "length >= 1"),
        ({"rules": {**OWN_RULES, "colour": "red"}}, "Correct the fields"),
        ({"rules": {**OWN_RULES, "name": "a\tb"}}, "Correct the fields"),
    ],
)
async def test_rules_that_are_not_right_are_refused_with_a_sentence_and_nothing_is_stored(
    office: Office, body: dict[str, Any], told: str
) -> None:
    version = await office.version()
    answer = await office.put({"effective_from": "2026-01-01", **body})
    assert problem(answer) == (422, "invalid_input")
    assert told in answer.json()["detail"]
    assert await office.version() == version


async def test_a_centre_has_no_more_rule_sets_than_a_record_holds(office: Office) -> None:
    for day in range(1, 9):
        await office.rule(preset="cfoc", effective_from=f"2026-01-0{day}")
    answer = await office.put({"preset": "cfoc", "effective_from": "2026-01-09"})
    assert problem(answer) == (422, "invalid_input")
    assert "at most 8 rule sets" in answer.json()["detail"]
    await office.rule(preset="england", effective_from="2026-01-08")


@pytest.mark.parametrize(("who", "expected"), [("staff", (403, "not_entitled")), ("stranger", (404, "not_found"))])
async def test_only_a_manager_of_the_centre_sets_rules(office: Office, who: str, expected: tuple[int, str]) -> None:
    assert problem(await office.put({"effective_from": "2026-01-01", "preset": "cfoc"}, who)) == expected


# -- how it stands


async def test_without_rules_everybody_is_counted_and_nothing_judged(full: Office) -> None:
    desk = await full.desk("Front desk")
    await full.push(desk, desk.check_in(await full.person("C-1"), minute=-5))
    found = await full.now()
    assert found["rules"] is None
    assert (found["center"]["reason"], found["center"]["children"], found["center"]["is_breach"]) == (
        "no_rules", 1, False,
    )  # fmt: skip
    assert found["as_of"]["version"] == await full.version()


async def test_each_room_and_the_centre_are_judged_by_who_is_in(full: Office) -> None:
    await full.rule(rules=OWN_RULES)
    desk = await full.desk("Front desk")
    bees = await full.room("BEES")
    babies = [desk.check_in(await full.person(one), minute=-60) for one in ("C-1", "C-2", "C-3")]
    ruth = desk.event("", EventKind.STAFF_IN, minute=-90, person_id=await full.person("S-1"), room_id=bees)
    sam = desk.event("", EventKind.STAFF_IN, minute=-90, person_id=await full.person("S-2"), room_id=bees)
    await full.push(desk, *babies, ruth, sam)
    rooms = await full.rooms()
    assert rooms["Bumblebees"] == {
        "reason": "too_few_staff", "is_breach": True, "children": 3, "children_of_unknown_age": 1,
        "bands": [{"code": "babies", "children": 3}], "staff": 2, "counted_staff": 1.0, "staff_needed": 2,
        "children_allowed": 2, "children_more": 0, "group_cap": 4, "cap_exceeded": False,
    }  # fmt: skip
    assert rooms["Owls"]["reason"] == "nobody"
    center = (await full.now())["center"]
    assert (center["reason"], center["children"], center["staff"], center["staff_needed"]) == (
        "too_few_staff", 3, 2, 2,
    )  # fmt: skip


async def test_a_move_and_a_departure_count_at_once_and_an_age_can_be_asked_about(full: Office) -> None:
    await full.rule(rules=OWN_RULES)
    desk = await full.desk("Front desk")
    bees, owls = await full.room("BEES"), await full.room("OWLS")
    baby, other, ruth = [await full.person(one) for one in ("C-3", "C-4", "S-1")]
    came = desk.check_in(baby, minute=-60, room_id=bees), desk.check_in(other, minute=-60)
    await full.push(desk, *came, desk.event("", EventKind.STAFF_IN, minute=-60, person_id=ruth, room_id=owls))
    rooms = await full.rooms()
    assert (rooms["Bumblebees"]["reason"], rooms["Owls"]["reason"]) == ("no_staff", "enough")
    assert (rooms["Owls"]["children_more"], rooms["Owls"]["children_allowed"]) == (7, 8)
    assert (await full.rooms(age_months="3"))["Owls"]["children_more"] == 0
    await full.push(desk, desk.event(baby, EventKind.ROOM_MOVE, minute=-30, to_room_id=owls))
    rooms = await full.rooms()
    assert (rooms["Bumblebees"]["reason"], rooms["Owls"]["reason"]) == ("nobody", "too_few_staff")
    await full.push(desk, desk.check_out(other, minute=-10))
    assert (await full.rooms())["Owls"]["reason"] == "enough"


async def test_a_child_that_is_not_on_file_is_there_and_counts_as_the_youngest(full: Office) -> None:
    await full.rule(rules=OWN_RULES)
    desk = await full.desk("Front desk")
    guest = str(uuid.uuid4())
    await full.push(desk, desk.check_in(guest, minute=-5, provisional_name="Noor from next door"))
    visitor = desk.event("", EventKind.VISITOR_IN, minute=-5, person_id=str(uuid.uuid4()), person_name="A plumber")
    await full.push(desk, visitor)
    rooms = await full.rooms()
    assert (rooms[None]["reason"], rooms[None]["children_of_unknown_age"], rooms[None]["staff"]) == ("no_staff", 1, 0)


@pytest.mark.parametrize(
    ("path", "who", "params", "expected"),
    [
        ("ratio", "parent", {}, (403, "not_entitled")),
        ("ratio", "stranger", {}, (404, "not_found")),
        ("ratio", "staff", {"age_months": "253"}, (422, "invalid_input")),
        ("ratio/breaches", "parent", {}, (403, "not_entitled")),
        ("ratio/breaches", "stranger", {}, (404, "not_found")),
        ("ratio/breaches", "staff", {"day": "1970-01-01"}, (422, "invalid_input")),
        ("ratio/breaches", "staff", {"day": "today"}, (422, "invalid_input")),
    ],
)
async def test_a_question_of_somebody_else_or_without_sense_is_refused(
    office: Office, path: str, who: str, params: dict[str, str], expected: tuple[int, str]
) -> None:
    assert problem(await office.get(path, who, **params)) == expected


# -- breaches


def knowing(desk: Desk, child_id: str, *, minute: int, version: int) -> Entry:
    """A check-in by a desk that had followed the log up to a version."""
    at_ms = NOW_MS + minute * MINUTE_MS
    event = AttendanceEvent(
        event_id=new_id(), kind=EventKind.CHECK_IN, center_id=desk.key.center_id, child_id=child_id,
        occurred_at_ms=at_ms, recorded_at_ms=at_ms,
    )  # fmt: skip
    draft = Draft(
        event_id=event.event_id, kind="check_in", body=encode_event(event), hlc=desk.head.seq + 1, wall_ms=at_ms,
        monotonic_ms=1, boot_id="boot", base_epoch="", base_version=version,
    )  # fmt: skip
    entry = seal(desk.head, draft, desk.private_key.sign)
    desk.head = head_after(entry)
    return entry


async def test_the_breaches_of_a_day_tell_the_worst_of_each_and_what_the_desks_knew(full: Office) -> None:
    await full.rule(rules=OWN_RULES)
    front, back = await full.desk("Front desk"), await full.desk("Back door")
    ruth = await full.person("S-1")
    staff = [
        front.event("", EventKind.STAFF_IN, minute=-120, person_id=ruth, room_id=await full.room("BEES")),
        front.event("", EventKind.STAFF_OUT, minute=-20, person_id=ruth),
    ]
    first, second, third = [await full.person(one) for one in ("C-1", "C-2", "C-3")]
    await full.push(back, knowing(back, first, minute=-100, version=7))
    await full.push(
        front, *staff, knowing(front, second, minute=-90, version=9), knowing(front, third, minute=-60, version=9),
        front.check_out(third, minute=-40),
    )  # fmt: skip
    one, other = await full.breaches()
    assert (one["scope"], one["room_name"]) == ("room", "Bumblebees")
    assert (minute_of(one["began_at"]), minute_of(one["ended_at"])) == (-60, -40)
    assert one["began_at"].endswith("+01:00")
    assert (one["worst"]["reason"], one["worst"]["children"], one["worst"]["staff_needed"]) == ("too_few_staff", 3, 2)
    assert sorted((desk["device_name"], minute_of(desk["told_at"]), desk["version"]) for desk in one["desks"]) == [
        ("Back door", -100, 7),
        ("Front desk", -60, 9),
    ]
    assert (minute_of(other["began_at"]), other["ended_at"], other["worst"]["reason"]) == (-20, None, "no_staff")


async def test_a_fact_that_arrives_late_changes_the_breaches_of_its_day(full: Office) -> None:
    await full.rule(rules=OWN_RULES)
    front, back = await full.desk("Front desk"), await full.desk("Back door")
    await full.push(front, front.check_in(await full.person("C-1"), minute=-60))
    assert [minute_of(one["began_at"]) for one in await full.breaches()] == [-60]
    ruth, bees = await full.person("S-1"), await full.room("BEES")
    await full.push(back, back.event("", EventKind.STAFF_IN, minute=-70, person_id=ruth, room_id=bees))
    assert await full.breaches() == []


async def test_breaches_are_cut_to_their_day_and_judged_by_the_rules_of_that_day(full: Office) -> None:
    await full.rule(rules=OWN_RULES, effective_from="2026-09-20")
    desk = await full.desk("Front desk")
    await full.push(desk, desk.check_in(await full.person("C-1"), minute=-3 * 24 * 60))
    assert await full.breaches(day="2026-09-18") == await full.breaches(day="2026-09-19") == []
    (yesterday,), (today,) = await full.breaches(day="2026-09-20"), await full.breaches()
    assert (yesterday["began_at"], yesterday["ended_at"]) == ("2026-09-20T00:00:00+01:00", None)
    assert (today["began_at"], today["ended_at"]) == ("2026-09-21T00:00:00+01:00", None)
    assert await full.breaches(day="2026-09-22") == []
