"""A guardian says that the child will not come: desks hear it, nobody looks for it, and only who may says so."""

import asyncio
from typing import Any

import pytest

from sync.records import Entity
from tests.contract.server_world import new_id
from tests.support.api import Api, problem
from tests.support.families import Families, families_of
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
MINE = "/my/children/{C1}/absences"


def sick(**changes: Any) -> dict[str, Any]:
    body = {"id": new_id(), "kind": "sick", "first_day": "2026-09-21", "last_day": "2026-09-22", "note": "A cold"}
    return {**body, **changes}


async def refused(families: Families, who: str = "mother", **changes: Any) -> tuple[int, str]:
    return problem(await families.ask(who, "POST", MINE, json=sick(**changes)))


async def test_what_a_guardian_announces_is_an_absence_like_any_other(api: Api, database: FreshDatabase) -> None:
    async with families_of(api, database) as families:
        body = sick()
        made = await families.good("mother", "POST", MINE, json=body)
        assert (made["mine"], made["note"], made["withdrawn_at"]) == (True, "A cold", None)
        assert await families.good("mother", "POST", MINE, json=body) == made
        (told,) = (await families.record(Entity.CHILD, families.ids["C-1"])).absences
        assert (told.absence_id, told.first_day, told.last_day, told.kind) == (
            body["id"], "2026-09-21", "2026-09-22", "sick",
        )  # fmt: skip
        (listed,) = (await families.good("staff", "GET", "{north}/children/{C1}/absences"))["items"]
        assert (listed["informed_by"], listed["billable"], listed["justified"]) == ("mother", True, False)
        assert listed["informed_at"]
        missing = await families.good("staff", "GET", "{north}/absences/unexplained", params={"by": "18:00"})
        assert families.ids["C-1"] not in {one["child"]["child_id"] for one in missing["items"]}

        # What staff announced is seen, without what they wrote; and it is theirs to take back.
        theirs = {
            "absence_id": new_id(), "kind": "holiday", "first_day": "2026-10-01", "last_day": "2026-10-02",
            "note": "Father said so", "informed_by": "Pat",
        }  # fmt: skip
        await families.good("staff", "POST", "{north}/children/{C1}/absences", json=theirs)
        seen = (await families.good("mother", "GET", MINE))["items"]
        assert [(one["id"], one["mine"], one["note"]) for one in seen] == [
            (theirs["absence_id"], False, ""), (body["id"], True, "A cold"),
        ]  # fmt: skip
        for gone in (theirs["absence_id"], new_id()):
            assert problem(await families.ask("mother", "DELETE", f"{MINE}/{gone}")) == (404, "not_found")
        withdrawn = await families.good("mother", "DELETE", f"{MINE}/{body['id']}")
        assert withdrawn["withdrawn_at"]
        assert await families.good("mother", "DELETE", f"{MINE}/{body['id']}") == withdrawn
        assert [one.absence_id for one in (await families.record(Entity.CHILD, families.ids["C-1"])).absences] == [
            theirs["absence_id"]
        ]

        # Two telephones say the same at once: it is said once. The same id for something else is refused.
        both = sick(first_day="2026-09-23", last_day="2026-09-23")
        answers = await asyncio.gather(*(families.ask("mother", "POST", MINE, json=both) for _ in range(5)))
        assert {one.status_code for one in answers} == {201}
        assert await refused(families, id=both["id"]) == (409, "conflict")
        assert await refused(families, id=theirs["absence_id"]) == (409, "conflict")

        # It has begun: whoever comes ends it by coming.
        families.api.clock.advance_ms(3 * 24 * 3_600_000)
        families.sign_out()
        assert problem(await families.ask("mother", "DELETE", f"{MINE}/{both['id']}")) == (409, "conflict")
        await _only_who_may_and_only_what_makes_sense(families)
        assert await families.wrong_books() == []


async def _only_who_may_and_only_what_makes_sense(families: Families) -> None:
    wrongs: tuple[dict[str, Any], ...] = (
        {"first_day": "2026-09-23", "last_day": "2026-09-25"},  # yesterday
        {"first_day": "2026-09-26", "last_day": "2026-09-25"}, {"first_day": "2027-09-24", "last_day": "2027-09-26"},
        {"first_day": "2026-09-24", "last_day": "2027-09-30"}, {"kind": "unexplained"}, {"note": "a\0b"},
        {"note": "x" * 501}, {"id": "1"}, {"billable": False}, {"first_day": "24/9"},
    )  # fmt: skip
    for wrong in wrongs:
        days = {"first_day": "2026-09-24", "last_day": "2026-09-24"}
        assert await refused(families, **{**days, **wrong}) == (422, "invalid_input"), wrong
    for who in ("father", "neighbour", "staff", "manager"):
        assert await refused(families, who) == (404, "not_found"), who
        assert problem(await families.ask(who, "GET", MINE)) == (404, "not_found"), who
    lock = {"first_day": "2026-09-20", "last_day": "2026-09-20"}
    await families.good("manager", "POST", "{north}/period-locks", json=lock)
    # Who may see and not book reads, and says nothing, not even that it is not so after all.
    ahead = sick(first_day="2026-09-28", last_day="2026-09-28")
    await families.good("mother", "POST", MINE, json=ahead)
    listed = (await families.good("manager", "GET", "{north}/children/{C1}/relationships"))["items"]
    mother = next(one for one in listed if one["kind"] == "mother")
    seeing = {"kind": "mother", "legal_guardian": True, "can_book": False}
    await families.good("manager", "PUT", "{north}/children/{C1}/relationships/{G1}", tag=mother["etag"], json=seeing)
    assert await refused(families, first_day="2026-09-24", last_day="2026-09-24") == (403, "not_entitled")
    assert problem(await families.ask("mother", "DELETE", f"{MINE}/{ahead['id']}")) == (403, "not_entitled")
    assert (await families.good("mother", "GET", MINE, params={"limit": 1}))["next_cursor"]
