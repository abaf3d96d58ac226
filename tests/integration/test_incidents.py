"""Incidents: what desks told, and what a restore lost and got back, for people to read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.models.rooms import Center
from server.services.backup import Backup
from server.services.directory import Directory
from server.services.incidents import CenterIncidents, Incidents
from server.services.restore import Onto, Restore
from server.services.verification import Verification
from sync.incidents import INCIDENT_KIND, Detail, DeviceIncident, Incident, encode_incident
from sync.intake import WITNESSED_KIND
from sync.journal import Entry, Outcome
from tests.contract.server_world import NOW_MS, Desk, new_id, outcomes, push
from tests.support.api import Api
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer

pytestmark = pytest.mark.postgres


@pytest.fixture
async def books(postgres_server: PostgresServer, database: FreshDatabase) -> AsyncIterator[Books]:
    async with books_on(postgres_server, database) as opened:
        await opened.take_in()
        yield opened


def told(desk: Desk, incident: Incident, detail: Detail) -> Entry:
    body = DeviceIncident(event_id=new_id(), incident=incident, occurred_at_ms=NOW_MS, detail=detail)
    return desk.write(body.event_id, INCIDENT_KIND, encode_incident(body))


async def listed(books: Books, code: str = "elm") -> CenterIncidents:
    (center,) = await Directory(books.world.units).centers(code)
    return await Incidents(books.world.units).of_center(center)


async def epoch(books: Books) -> str:
    statement = "SELECT CAST(epoch AS text) FROM center_head WHERE center_id = :center_id"
    return str(await books.value(statement, center_id=await books.center("elm")))


async def test_the_newest_comes_first_with_the_name_of_its_desk(books: Books) -> None:
    desk = await books.desk()
    await push(books.world, desk, told(desk, Incident.CLOCK_STEPPED, {"step_ms": -3_600_000}))
    books.clock.advance_ms(1_000)
    await push(books.world, desk, told(desk, Incident.BUCKET_REPAIRED, {"bucket": "reference"}))
    newest, oldest = (await listed(books)).incidents
    assert (newest.incident, newest.detail) == ("bucket_repaired", {"bucket": "reference"})
    assert (oldest.incident, oldest.detail) == ("clock_stepped", {"step_ms": -3_600_000})
    assert oldest.device_name == "Front desk"
    assert (await listed(books, "oak")).incidents == ()


async def test_what_a_restore_lost_and_got_back_is_told(books: Books, tmp_path: Path) -> None:
    child, lost, seen = await books.person("C-1"), await books.desk(), await books.desk()
    path = tmp_path / "b.zip"
    await Backup(books.units, books.clock).write(path)
    before = await epoch(books)
    version = int(await books.value("SELECT max(version) FROM change_log WHERE center_id = :c", c=lost.key.center_id))
    # After the backup: a desk that is gone for good checks a child in, and another desk sees it.
    await push(books.world, lost, lost.check_in(child), lost.check_out(child, minute=9))
    records = await books.rows("SELECT entity_id, body FROM current_record WHERE entity = 'event' ORDER BY version")
    books.clock.advance_ms(3_600_000)
    await Restore(books.units, books.clock, books.new_id, books.app_role).run(path, Onto.ANYTHING)
    nothing = (await listed(books)).restores[0]
    assert (nothing.from_version, nothing.desks, nothing.events) == (version, 0, 0)
    witnessed = [seen.write(row.entity_id, WITNESSED_KIND, row.body) for row in records]
    detail: Detail = {"from_epoch": before, "to_epoch": await epoch(books), "from_version": version + 2,
                      "to_version": version, "witnessed": 2}  # fmt: skip
    answer = await push(books.world, seen, *witnessed, told(seen, Incident.RECONCILED, detail))
    assert outcomes(answer) == [Outcome.APPLIED] * 3
    await push(books.world, seen, seen.check_in(await books.person("C-2"), minute=9 * 60))
    (life,) = (await listed(books)).restores
    assert (life.epoch, life.from_version, life.began_at) == (await epoch(books), version, books.clock.now())
    assert (life.desks, life.seen_version, life.witnessed, life.events) == (1, version + 2, 2, 2)
    assert (await Verification(books.units).check(seen.key.center_id)).findings == []


async def test_a_desk_that_says_nonsense_breaks_no_list(books: Books, tmp_path: Path) -> None:
    desk, path = await books.desk(), tmp_path / "b.zip"
    await Backup(books.units, books.clock).write(path)
    await Restore(books.units, books.clock, books.new_id, books.app_role).run(path, Onto.ANYTHING)
    nonsense: Detail = {"to_epoch": await epoch(books), "from_version": "many", "witnessed": "all"}
    await push(books.world, desk, told(desk, Incident.RECONCILED, nonsense), told(desk, Incident.RECONCILED, {}))
    shown = await listed(books)
    assert (shown.restores[0].desks, shown.restores[0].witnessed) == (0, 0)
    assert len(shown.incidents) == 2


async def test_only_managers_see_them(api: Api) -> None:
    path = f"/api/v1/centers/{api.centers['north']}/incidents"
    assert (await api.client.get(path)).status_code == 401
    for who, status in {"parent": 403, "staff": 403, "stranger": 404, "manager": 200, "admin": 200}.items():
        answer = await api.client.get(path, headers=await api.sign_in(who))
        assert answer.status_code == status, who
        if status == 200:
            assert answer.json() == {"items": [], "next_cursor": "", "restores": []}


async def test_a_centre_that_is_not_there_has_none(books: Books) -> None:
    ghost = Center(id=new_id(), organisation_id=new_id(), code="ghost", name="Ghost", time_zone="UTC")
    assert await Incidents(books.world.units).of_center(ghost) == CenterIncidents((), ())
