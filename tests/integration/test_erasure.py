"""An erased child is nowhere to be read: not in tables, log, journals or reports, nor in any page of a desk's file."""

from collections.abc import AsyncIterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import text

from kiosk.store.database import Database
from kiosk.store.pages import RawFile
from kiosk.store.replica import Replica
from server.core.asking import asks, operator_asks
from server.core.database import create_engine
from server.core.etags import Expected
from server.services.access import Centers, User
from server.services.backup import Backup
from server.services.erasure_list import ErasedList, ErasedOne, ErasureList, replay
from server.services.legal_holds import LegalHolds
from server.services.people_days import PeopleDays, Period
from server.services.restore import Onto, Restore
from server.services.retention import Retention
from server.services.verification import Verification
from sync.attendance import EventKind
from sync.change_log import Head, genesis
from sync.records import Entity
from tests.contract.postgres_world import PostgresWorld, make_world
from tests.contract.server_world import Desk, new_id, read_page, read_snapshot
from tests.support.api import PASSWORD, Api, problem
from tests.support.books import Books, books_on
from tests.support.families import Families, families_of
from tests.support.photo_files import telephone_photo
from tests.support.postgres import FreshDatabase, PostgresServer, copied

pytestmark = pytest.mark.postgres
# Each is typed in another place; none may be left.
CHILD: Final = ("Ottilie", "Quistgaard", "Ottipreferred", "Quist-C9")
WORDS: Final = (
    *CHILD, "Wendelmoet", "wmoet@quist.example", "555777", "Paranuss", "Scharlach", "weeping", "Uncle Canute",
    "provisoria", "overridden", "parkedword", "rollword", "asideword",
)  # fmt: skip
KEY: Final = bytes(range(32))
ROSTER: Final = """\
record,external_id,center,given_name,family_name,preferred_name,child,adult,status,relationship,legal_guardian,phone,email
child,Quist-C9,north,Ottilie,Quistgaard,Ottipreferred,,,,,,,
guardian,G-9,north,Wendelmoet,Quistgaard,,,,,,,+351 555777,wmoet@quist.example
pickup,,north,,,,Quist-C9,G-9,authorised,mother,yes,,
pickup,,north,,,,Quist-C9,G-1,authorised,aunt,,,
"""
SERVICE: Final = {
    "code": "AM", "name": "Mornings", "unit": "session", "currency": "EUR", "capacity": 5, "weekdays": [1, 2, 3, 4, 5],
    "from_time": "08:00", "to_time": "13:00",
}  # fmt: skip
ERASE_ME: Final = "/users/me/erasure"
TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@pytest.fixture
async def families(api: Api, database: FreshDatabase) -> AsyncIterator[Families]:
    async with families_of(api, database) as opened:
        yield opened


async def readable(units: Any, words: Sequence[str] = WORDS) -> dict[str, set[str]]:
    """Which words stand in which tables, as text or in bytes (in hex there)."""
    forms = {form: word for word in words for form in (word, word.encode().hex())}
    found: dict[str, set[str]] = {}
    async with units.read() as connection:
        tables = (await connection.scalars(text(TABLES))).all()
        seen = " UNION ALL ".join(
            f"SELECT '{name}' AS name, CAST(line AS text) AS line FROM {name} AS line" for name in tables
        )
        statement = text(
            f"SELECT DISTINCT name, form FROM ({seen}) AS seen, unnest(CAST(:forms AS text[])) AS form "
            "WHERE position(form IN line) > 0"
        )
        for name, form in await connection.execute(statement, {"forms": list(forms)}):
            found.setdefault(name, set()).add(forms[form])
    return found


async def fill(families: Families) -> Desk:
    """Put a word into everything that is kept of a child and of its mother."""
    await families.take_in(ROSTER)
    for name in ("Quist-C9", "G-9"):
        statement = "SELECT id FROM person WHERE external_id = :one AND center_id = :center"
        families.ids[name] = str(await families.value(statement, one=name, center=families.center))
    child = families.ids["Quist-C9"]
    at = f"{{north}}/children/{child}"
    alert = {"id": new_id(), "kind": "allergy", "severity": "critical", "text": "Paranuss"}
    await families.good("manager", "POST", f"{at}/alerts", json=alert)
    absence = {
        "absence_id": new_id(), "kind": "sick", "first_day": "2026-09-22", "last_day": "2026-09-22",
        "note": "Scharlach",
    }  # fmt: skip
    await families.good("manager", "POST", f"{at}/absences", json=absence)
    for whose in (at, f"{{north}}/adults/{families.ids['G-9']}"):
        put = await families.ask("manager", "PUT", f"{whose}/photo", content=telephone_photo(), kind="image/jpeg")
        assert put.is_success, put.text
    await families.good("manager", "POST", f"{at}/barcodes", json={"id": new_id(), "barcode": "4012345678901"})
    service = new_id()
    await families.good("manager", "PUT", f"{{north}}/services/{service}", json=SERVICE)
    await families.good(
        "manager", "PUT", f"{{north}}/services/{service}/terms/2026-01-01", tag="*", json={"price": "25.50"}
    )
    schedule = {
        "id": new_id(), "child_id": child, "service_id": service, "weekdays": [3], "first_day": "2026-09-21",
    }  # fmt: skip
    await families.good("manager", "POST", "{north}/schedules", json=schedule)
    invitation = {"email": "wmoet@quist.example", "role": "parent"}
    await families.good("manager", "POST", "{north}/invitations", json=invitation)
    desk = await families.desk()
    came = desk.check_in(child, minute=-60, note="weeping", provisional_name="provisoria")
    families.ids["stay"], roll = came.event_id, new_id()
    await families.push(
        desk, came,
        desk.check_out(child, minute=-30, adult_name="Uncle Canute", reason_code="override", reason="overridden"),
        desk.check_in(child, minute=-20),
        desk.event("", EventKind.ROLLCALL_START, minute=-10, rollcall_id=roll),
        desk.event(child, EventKind.ROLLCALL_MARK, minute=-9, rollcall_id=roll, mark="present", note="rollword"),
        desk.write(new_id(), "unheard_of", f'{{"child_id":"{child}","text":"parkedword"}}'.encode()),
    )  # fmt: skip
    at = f"/set-aside?center_id={families.center}"
    (kept,) = (await families.good("manager", "GET", at))["items"]
    verdict = {"entry": kept["entry"], "verdict": "dismissed", "reason": "asideword"}
    await families.good("manager", "POST", at.replace("?", "/answers?"), json=verdict)
    return desk


class ReplicaFile:
    """A desk's real file, which takes what the server really sends."""

    def __init__(self, path: Path, world: PostgresWorld, desk: Desk) -> None:
        self._path, self._world, self._desk = path, world, desk
        self.replica = Replica(Database.open(path, KEY))
        self.replica.prepare(device_id=desk.key.device_id, center_id=desk.key.center_id, incarnation=desk.incarnation)

    async def follow(self) -> None:
        """Take every page there is."""
        head, _ = await read_snapshot(self._world, self._desk)
        progress = self.replica.progress.read()
        if not progress.version:
            with self.replica.database.transaction():
                self.replica.progress.move_cursor(self._beginning(head))
        while page := await read_page(self._world, self._desk, self.replica.progress.read().version):
            self.replica.records.apply_page(page)

    def _beginning(self, head: Head) -> Head:
        return genesis(self._desk.key.center_id, head.epoch)

    def readable(self) -> set[str]:
        """Which words stand in a page of the file or of its log, decrypted."""
        raw = RawFile(self._path, KEY)
        assert not raw.damaged
        pages = b"".join(raw._plain(number, page) for number, page in raw._copies)
        return {word for word in WORDS if word.encode() in pages}


async def confirmed(families: Families, erasure_id: str, who: str = "manager", **changes: str) -> httpx.Response:
    body = {"reason": "family_asked", "password": PASSWORD, **changes}
    return await families.ask(who, "POST", f"{{north}}/erasures/{erasure_id}/confirmation", json=body)


async def test_an_erased_child_is_nowhere_to_be_read_and_the_books_are_right(
    families: Families, database: FreshDatabase, tmp_path: Path
) -> None:
    desk = await fill(families)
    child, adult = families.ids["Quist-C9"], families.ids["G-9"]
    engine = create_engine(database.urls.app)
    file = ReplicaFile(tmp_path / "replica", make_world(engine), await families.desk("Back desk"))
    await file.follow()
    before = await readable(families.units)
    assert set().union(*before.values()) == set(WORDS)
    assert {"person", "alert", "absence", "change_log", "current_record", "journal_entry", "attendance_event",
            "invitation"} <= before.keys()  # fmt: skip
    assert file.readable() >= {"Ottilie", "Wendelmoet", "Paranuss", "weeping", "Uncle Canute", "rollword"}

    erasure_id = await _asked_and_refused(families, desk)
    done = await confirmed(families, erasure_id)
    assert (done.status_code, done.json()["state"], done.json()["reason"]) == (200, "done", "family_asked")
    assert await readable(families.units) == {}
    assert (await confirmed(families, erasure_id)).json() == done.json()
    assert await families.wrong_books() == []
    await file.follow()
    assert file.readable() == set()
    told = {(one.entity, one.entity_id) for one in file.replica.records.all()}
    assert not {(Entity.CHILD, child), (Entity.ADULT, adult)} & told
    assert (Entity.ADULT, families.ids["G-1"]) in told
    assert await families.record(Entity.CHILD, child) is None
    assert str(await families.value("SELECT last_day FROM schedule")) == "2026-09-29"

    await _told_without_a_name(families, done.json())

    # What a desk that was away tells late loses its words, too.
    await families.push(desk, desk.check_in(child, minute=-3, note="weeping"), desk.check_out(child, minute=-2))
    assert (await readable(families.units)).keys() == {
        "change_log",
        "current_record",
        "journal_entry",
        "attendance_event",
    }
    families.api.clock.advance_ms(2 * 3_600_000)
    assert await families.api.services.erasures.sweep() == 1
    assert await readable(families.units) == {}
    assert await families.api.services.erasures.sweep() == 0
    assert await families.wrong_books() == []
    await engine.dispose()
    await _own_account(families)


async def _told_without_a_name(families: Families, done: dict[str, Any]) -> None:
    """Reports, evidence and the audit log after it."""
    where = f"/centers/{families.center}/reports/daily"
    report = await families.ask(
        "manager", "GET", where, params={"from": "2026-09-20", "to": "2026-09-22", "format": "csv"}
    )
    assert "Erased" in report.text
    assert not [word for word in WORDS if word in report.text]
    where_is = {"center_id": families.center}
    log = (await families.good("manager", "GET", "/audit", params=where_is))["items"]
    told_by = [one for one in log if one["route"].endswith("/confirmation")]
    assert {done["id"], families.ids["Quist-C9"]} <= {one["entity_id"] for one in told_by}
    assert {one["actor"] for one in told_by} == {done["ended_by"]}
    assert problem(await families.ask("manager", "GET", f"{{north}}/children/{families.ids['Quist-C9']}")) == (
        404,
        "not_found",
    )

    record = await families.good(
        "manager", "GET", f"/attendance/stays/{families.ids['stay']}/evidence", params=where_is
    )
    (entry,) = record["events"][0]["entries"]
    wanted = {"sound": False, "hash_matches": None, "signature_verifies": True, "says_the_same": None, "follows": True}
    assert wanted.items() <= entry["checks"].items()


async def _own_account(families: Families) -> None:
    """Nobody guesses the password of who left a browser open; with it the account is no more, and its id stays."""
    account = families.accounts["neighbour"]
    for answer in [await families.ask("neighbour", "POST", ERASE_ME, json={"password": "no"}) for _ in range(11)]:
        assert problem(answer) in ((403, "wrong_password"), (429, "rate_limited"))
    assert problem(answer) == (429, "rate_limited")
    families.api.clock.advance_ms(600_000)
    assert (await families.ask("neighbour", "POST", ERASE_ME, json={"password": PASSWORD})).status_code == 204
    assert (await families.ask("neighbour", "GET", "/users/me")).status_code == 401
    form = {"username": "neighbour@example.org", "password": PASSWORD}
    assert problem(await families.api.client.post("/api/v1/auth/token", data=form)) == (401, "wrong_credentials")
    assert await readable(families.units, ["neighbour"]) == {}
    assert await families.value("SELECT user_id::text FROM erased_account") == account
    admin = await families.ask("admin", "POST", ERASE_ME, json={"password": PASSWORD})
    assert problem(admin) == (409, "last_admin")


async def _asked_and_refused(families: Families, desk: Desk) -> str:
    """Ask, look, be refused while somebody is held or in, take it back, and ask again; gives the erasure."""
    child, adult = families.ids["Quist-C9"], families.ids["G-9"]
    asked = {"id": new_id(), "kind": "child", "person_id": child}
    hold = {"id": new_id(), "person_id": adult, "reason": "Court of Lisbon, 17/2026"}
    assert problem(await families.ask("manager", "POST", "{north}/erasures", json=asked)) == (409, "still_present")
    await families.push(desk, desk.check_out(child, minute=-5))
    await families.good("manager", "POST", "{north}/legal-holds", json=hold)
    assert problem(await families.ask("manager", "POST", "{north}/erasures", json=asked)) == (409, "legal_hold")
    assert [one["person_id"] for one in (await families.good("manager", "GET", "{north}/legal-holds"))["items"]] == [
        adult
    ]
    await families.good("manager", "DELETE", f"{{north}}/legal-holds/{hold['id']}")
    found = await families.good("manager", "POST", "{north}/erasures", json=asked)
    assert (found["state"], found["adults"]) == ("asked", [adult])
    assert [found[name] for name in ("alerts", "pickups", "photos", "cards", "accounts")] == [1, 2, 2, 1, 0]
    for person, kind in ((families.ids["G-1"], "adult"), (child, "adult"), (new_id(), "child")):
        answer = await families.ask(
            "manager", "POST", "{north}/erasures", json={"id": new_id(), "kind": kind, "person_id": person}
        )
        assert problem(answer) == ((409, "has_children") if person == families.ids["G-1"] else (404, "not_found"))
    assert problem(await confirmed(families, asked["id"], password="another quiet green gate")) == (
        403,
        "wrong_password",
    )
    await families.good("manager", "DELETE", f"{{north}}/erasures/{asked['id']}")
    assert problem(await confirmed(families, asked["id"])) == (409, "conflict")
    assert await readable(families.units, CHILD)
    # Whoever asked has a week to make sure.
    asked["id"] = new_id()
    await families.good("manager", "POST", "{north}/erasures", json=asked)
    families.api.clock.advance_ms(8 * 24 * 3_600_000)
    families.sign_out()
    assert problem(await confirmed(families, asked["id"])) == (409, "conflict")
    assert (await families.good("manager", "POST", "{north}/erasures", json={**asked, "id": new_id()}))["id"] == asked[
        "id"
    ]
    return str(asked["id"])


async def test_nobody_comes_back_out_of_an_older_backup(
    postgres_server: PostgresServer, database: FreshDatabase, tmp_path: Path
) -> None:
    async with books_on(postgres_server, database) as books:
        await books.take_in()
        await books.morning()
        path = tmp_path / "b.zip"
        await Backup(books.units, books.clock).write(path)
        child, center = await books.person("C-1"), await books.center("elm")
        (name,) = (row[0] for row in await books.rows("SELECT given_name FROM person WHERE id = :id", id=child))
        now = books.clock.now()
        one = ErasedOne(center, new_id(), "child", child, "left", now, "m", now, "m")
        gone = ErasedList((one,))
        with asks(operator_asks("restore")):
            async with books.world.units.begin(origin="erasure") as unit:
                assert await replay(unit, [gone], books.clock) == 1
        async with books.world.units.begin(origin="erasure") as unit:
            assert await replay(unit, [gone], books.clock) == 0
        assert await ErasureList(books.world.units).all() == gone
        await _is_gone(books, center, name)

        # The database that is replaced knows who was erased; another one is told by a list.
        with asks(operator_asks("restore")):
            await Restore(books.units, books.clock, books.new_id, books.app_role).run(path, Onto.ANYTHING)
        await _is_gone(books, center, name)
        await _children_who_left_long_ago(books)
        told = {tuple(row) for row in await books.rows("SELECT actor, route, entity FROM audit_entry")}
        assert {("operator", "rollcall-server restore", "center"), ("retention", "job retention", "erasure")} <= told
        template = postgres_server.template.owner.rsplit("/", 1)[-1].split("?")[0]
        async with copied(postgres_server, template) as fresh, books_on(postgres_server, fresh) as other:
            done = await Restore(other.units, other.clock, other.new_id, other.app_role).run(
                path, Onto.NOTHING, erased=gone
            )
            assert done.erased == 1
            await _is_gone(other, center, name)


async def _children_who_left_long_ago(books: Books) -> None:
    """They are erased when the time of keeping is over, unless somebody is held; a rehearsal only counts."""
    nobody = User("", "", "", "", is_active=True, grants=())
    center = await Centers(books.world.units).by_code("elm")
    child, adult = await books.person("C-2"), await books.person("G-1")
    name = "Quistgaardsen"  # long enough to be in no hash by chance
    await books.rename("elm", "C-2", name)
    days = PeopleDays(books.world.units)
    job = Retention(books.world.units, books.clock, books.new_id, 5)
    await days.enrol(center, nobody, child, Period(date(2015, 1, 1), date(2021, 9, 21)), Expected(None))
    assert ((await job.plan())[0].over, await job.run()) == (0, 0)
    await days.enrol(center, nobody, child, Period(date(2015, 1, 1), date(2021, 9, 20)), Expected(None))
    holds = LegalHolds(books.world.units, books.clock)
    hold = await holds.place(center, nobody, books.new_id(), adult, "17/2026")
    assert ((await job.plan())[0].over, await job.run()) == (0, 0)
    await holds.lift(center, nobody, hold.id)
    assert (await Retention(books.world.units, books.clock, books.new_id, 0).plan())[0].over == 0
    assert (await job.plan())[0].over == 1
    assert await readable(books.units, [name]) != {}
    assert (await job.run(), await job.run(), (await job.plan())[0].over) == (1, 0, 0)
    await _is_gone(books, center.id, name)
    (told,) = await books.rows("SELECT reason, ended_by FROM erasure WHERE person_id = :id", id=child)
    assert tuple(told) == ("retention_over", "retention")


async def _is_gone(books: Books, center: str, name: str) -> None:
    assert await readable(books.units, [name]) == {}
    assert (await Verification(books.units).check(center)).findings == []
