"""What guardians see of their children, and what they say to it; what they are never shown."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from server.services.access import User
from server.services.guardian_rights import GuardianRights
from server.services.my_stays import WORDS_MAX
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
STAYS = "/my/children/{C1}/stays"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


async def now_of(families: Families, who: str) -> dict[str, Any]:
    """Where the only child of a guardian is."""
    (child,) = (await families.good(who, "GET", "/my/children"))["items"]
    return dict(child["now"])


async def days_of(families: Families, **params: str) -> list[dict[str, Any]]:
    return list((await families.good("mother", "GET", STAYS, params=params))["days"])


async def test_a_guardian_sees_where_their_child_is_and_by_which_desks(families: Families) -> None:
    listed = (await families.good("mother", "GET", "/my/children"))["items"]
    assert [(one["id"], one["relationship"], one["now"]["status"]) for one in listed] == [
        (families.ids["C-1"], "mother", "not_here")
    ]
    assert (await families.good("father", "GET", "/my/children"))["items"] == []
    rights = GuardianRights(families.units)
    booking = [
        await rights.may_book(User(families.accounts[who], "", "", "", is_active=True, grants=()), center, child)
        for who, center, child in (
            ("mother", families.center, families.ids["C-1"]),
            ("mother", families.center, families.ids["C-2"]),
            ("mother", families.api.centers["south"], families.ids["C-1"]),
            ("father", families.center, families.ids["C-1"]),
        )
    ]
    assert booking == [True, False, False, False]
    desk, back = await families.desk("Front desk"), await families.desk("Back door")
    await families.push(desk, desk.check_in(families.ids["C-1"], minute=-60, room_id=families.ids["room"]))
    now = await now_of(families, "mother")
    assert (now["status"], now["since"], now["room_name"]) == ("in", "2026-09-21T14:13:20+01:00", "Bumblebees")
    assert now["confirmed_by_desk"] is True
    assert now["coverage"]["complete"] is False
    assert {one["name"]: one["gap"] for one in now["coverage"]["desks"]}["Back door"] == "never_heard"
    await families.push(back, back.check_out(families.ids["C-1"], minute=-5, adult_id=families.ids["G-2"]))
    assert ((await now_of(families, "mother"))["status"], (await now_of(families, "neighbour"))["status"]) == (
        "out",
        "not_here",
    )
    families.api.clock.advance_ms(24 * 3_600_000)
    families.sign_out()
    assert (await now_of(families, "mother"))["status"] == "not_here"


async def test_the_history_tells_who_and_how_and_nothing_of_the_other_parent_but_the_name(families: Families) -> None:
    desk, child = await families.desk(), families.ids["C-1"]
    came = desk.check_in(child, minute=-300, adult_id=families.ids["G-1"], identity_check="known_to_staff")
    left = desk.check_out(child, minute=-240, adult_id=families.ids["G-2"])
    again = desk.check_in(child, minute=-100, occurred_at_ms=came.wall_ms - 120 * 60_000, adult_name="Ada Lovelace")
    await families.push(desk, came, left, again)
    corrected = {"kind": "correct", "named": [left.event_id], "right_time": "2026-09-21T11:30:00+01:00", "reason": "x"}
    params = {"center_id": families.center}
    await families.good("manager", "POST", "/attendance/events", params=params, json=corrected)
    (day,) = await days_of(families)
    first, second = day["stays"]
    assert day["day"] == "2026-09-21"
    assert (first["stay_id"], first["ended_at"]) == (came.event_id, "2026-09-21T11:30:00+01:00")
    assert first["brought"] == {
        "name": "Deniz Ünal", "relationship": "mother", "method": "staff_attested", "identity_check": "known_to_staff",
        "desk_name": "Front desk", "recorded_at_desk": True, "retroactive": False, "corrected": False,
    }  # fmt: skip
    assert (first["collected"]["name"], first["collected"]["relationship"]) == ("Pat O'Neill", "father")
    assert first["collected"]["corrected"] is True
    assert (second["brought"]["name"], second["brought"]["retroactive"], second["ended_at"]) == (
        "Ada Lovelace", True, None,
    )  # fmt: skip
    asked = [await families.ask("mother", "GET", path) for path in (STAYS, "/my/children")]
    everything = "".join(answer.text for answer in asked)
    for secret in ("910 000 002", "pat@example.org", "suspended", families.ids["G-2"]):
        assert secret not in everything
    assert await days_of(families, to="2026-09-20") == []
    for wrong in ({"from": "2026-09-22"}, {"from": "2026-01-01"}, {"to": "1999-01-01"}):
        assert problem(await families.ask("mother", "GET", STAYS, params=wrong)) == (422, "invalid_input")


async def test_a_word_is_entered_once_and_stands_in_the_evidence_and_a_dispute_is_a_finding(families: Families) -> None:
    desk = await families.desk()
    came, left = desk.check_in(families.ids["C-2"], minute=-90), desk.check_out(families.ids["C-2"], minute=-30)
    await families.push(desk, came, left, desk.check_in(families.ids["C-1"], minute=-60))
    await _confirms(families)
    await _disputes(families, came.event_id, left.event_id)
    assert await families.wrong_books() == []
    await _ends_with_the_role(families)


async def _confirms(families: Families) -> None:
    """The mother confirms three times at once, later again, and then more often than anybody needs to."""
    stay_id = (await days_of(families))[0]["stays"][0]["stay_id"]
    path, word = f"{STAYS}/{stay_id}/confirm", {"event_id": new_id()}
    both = await asyncio.gather(*(families.good("mother", "POST", path, json=word) for _ in range(3)))
    families.api.clock.advance_ms(5_000)  # a repeat comes later, and is the same word all the same
    later = await families.good("mother", "POST", path, json=word)
    assert [one == later for one in both] == [True] * 3
    assert later["needs_review"] is False
    assert await families.value("SELECT count(*) FROM attendance_event WHERE kind = 'confirm'") == 1
    (stay,) = (await days_of(families))[0]["stays"]
    assert (stay["own_word"]["says"], stay["disputed"]) == ("confirmed", False)
    params = {"center_id": families.center}
    evidence = await families.good("manager", "GET", f"/attendance/stays/{stay_id}/evidence", params=params)
    (said,) = [one for one in evidence["events"] if one["kind"] == "confirm"]
    assert "parent_app" in str(said)
    assert "mother" in str(said)
    other = await families.ask("mother", "POST", f"{STAYS}/{stay_id}/dispute", json={**word, "reason": "x"})
    assert problem(other) == (409, "conflict")
    nothing = await families.ask("mother", "POST", f"{STAYS}/{new_id()}/confirm", json={"event_id": new_id()})
    assert problem(nothing) == (404, "not_found")
    for _ in range(WORDS_MAX - 1):
        await families.good("mother", "POST", path, json={"event_id": new_id()})
    assert problem(await families.ask("mother", "POST", path, json={"event_id": new_id()})) == (409, "conflict")


async def _disputes(families: Families, came: str, left: str) -> None:
    """The neighbour says when their child left in truth, and the centre answers."""
    path, body = f"/my/children/{{C2}}/stays/{came}/dispute", {"event_id": new_id(), "reason": "We left earlier"}
    ahead = {"about": "departure", "right_time": "2026-09-21T18:00:00+01:00"}
    for wrong in (ahead, {"right_time": "2026-09-21T14:00:00+01:00"}, {"reason": ""}, {"reason": "x" * 151}):
        answer = await families.ask("neighbour", "POST", path, json={**body, **wrong})
        assert problem(answer) == (422, "invalid_input")
    right = {**body, "about": "departure", "right_time": "2026-09-21T13:00:00Z"}
    said = await families.good("neighbour", "POST", path, json=right)
    assert said["needs_review"] is True
    assert await families.good("neighbour", "POST", path, json=right) == said
    params = {"center_id": families.center}
    (found,) = (await families.good("manager", "GET", "/reviews", params=params))["items"]
    witnesses = [(one["event_id"], one["reason"], one["author"], one["auth_method"]) for one in found["evidence"]]
    assert (found["kind"], witnesses) == (
        "disputed_by_guardian",
        [
            (left, "", "", "staff_attested"),
            (said["event_id"], "We left earlier (departure: 2026-09-21 14:00)", "neighbour", "parent_app"),
        ],
    )
    assert await _stay_of_neighbour(families) == (True, True)
    chosen = next(one for one in found["possible_answers"] if one["needs"] == "nothing")
    body = {"finding": found["finding"], "answer": chosen["answer"]}
    await families.good("manager", "POST", "/reviews/answers", params=params, json=body)
    assert await _stay_of_neighbour(families) == (False, False)


async def _stay_of_neighbour(families: Families) -> tuple[bool, bool]:
    """Whether the stay is disputed, and whether the neighbour's own word waits for an answer."""
    (day,) = (await families.good("neighbour", "GET", "/my/children/{C2}/stays"))["days"]
    return day["stays"][0]["disputed"], day["stays"][0]["own_word"]["open"]


async def _ends_with_the_role(families: Families) -> None:
    async with families.units.begin() as unit:
        parameters = {"user": families.accounts["mother"]}
        await unit.connection.execute(text("DELETE FROM membership WHERE user_id = :user"), parameters)
    assert (await families.good("mother", "GET", "/my/children"))["items"] == []
    assert problem(await families.ask("mother", "GET", STAYS)) == (404, "not_found")
