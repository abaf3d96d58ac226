"""The roster import: everything or nothing, once and not twice, and each record for the devices."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories import change_log, rosters
from server.repositories.unit_of_work import UnitsOfWork
from server.sample.generate import CENTER_CODE, shipped_csv
from server.services.roster_file import SourceFile
from server.services.roster_import import ImportReport, RosterImport
from sync.change_log import Change, check_changes, genesis
from sync.records import AdultRecord, ChildRecord, Entity, PickupRecord
from tests.support.clock import FakeClock
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres

HEAD = "record,external_id,center,name,time_zone,given_name,family_name,birth_date,room,child,adult,status,phone"
GOOD = f"""{HEAD},kind,severity,text
center,elm,,Elm Lane,Europe/Berlin,,,,,,,,,,,
room,BEES,,Bumblebees,,,,,,,,,,,,
child,C-1,,,,Zoë,O'Neill,2023-04-05,BEES,,,,,,,
guardian,G-1,,,,Deniz,Ünal,,,,,,0123,,,
pickup,,,,,,,,,C-1,G-1,authorised,,,,
alert,A-1,,,,,,,,C-1,,,,allergy,critical,Peanuts
"""


class Office:
    """An import, and the books it writes to."""

    def __init__(self, units: UnitsOfWork, new_id: Ids) -> None:
        self.units = units
        self._import = RosterImport(units, new_id.new, SystemClock())

    async def run(self, *texts: str, skip_bad: bool = False, dry_run: bool = False) -> ImportReport:
        files = [SourceFile("roster.csv", text.encode()) for text in texts]
        return await self._import.run(files, skip_bad=skip_bad, dry_run=dry_run)

    async def counts(self) -> dict[str, int]:
        """Rows of every table that an import can touch."""
        tables = ("organisation", "center", "room", "person", "relationship", "pickup_authorisation", "alert")
        async with self.units.read() as connection:
            return {
                name: int(await connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0)
                for name in (*tables, "change_log", "current_record")
            }

    async def changes(self, code: str) -> Sequence[Change]:
        """The whole log of a centre, its chain checked."""
        async with self.units.begin() as unit:
            center = await rosters.find_center(unit.session, code)
            assert center is not None
            head = await change_log.read_head(unit.connection, center.id)
            assert head is not None
            rows = await change_log.read_after(unit.connection, center.id, 0)
        found = [row.change for row in rows]
        assert check_changes(genesis(center.id, head.epoch), found).version == found[-1].version
        return found


@pytest.fixture
async def office(database: FreshDatabase) -> AsyncIterator[Office]:
    engine = create_engine(database.urls.app)
    ids = Ids(FakeClock())
    try:
        yield Office(UnitsOfWork(engine, clock=FakeClock(), luck=bytes, new_id=ids.new), ids)
    finally:
        await engine.dispose()


async def test_a_roster_becomes_rows_and_records(office: Office) -> None:
    report = await office.run(GOOD)
    assert report.stored
    assert sum(report.tally.created.values()) == 6
    changes = await office.changes("elm")
    assert [change.entity for change in changes] == ["center", "room", "adult", "child", "pickup"]
    records = {change.entity: change for change in changes}
    child = msgspec.json.decode(records["child"].body, type=ChildRecord)
    assert (child.given_name, child.birth_date) == ("Zoë", "2023-04-05")
    assert child.home_room_id == records["room"].entity_id
    assert [alert.text for alert in child.alerts] == ["Peanuts"]
    pickup = msgspec.json.decode(records["pickup"].body, type=PickupRecord)
    assert (pickup.child_id, pickup.adult_id) == (records["child"].entity_id, records["adult"].entity_id)
    assert all(change.transaction_last for change in changes)


async def test_the_same_file_again_adds_no_version(office: Office) -> None:
    await office.run(GOOD)
    before = await office.counts()
    report = await office.run(GOOD)
    assert await office.counts() == before
    assert sum(report.tally.unchanged.values()) == 6
    assert not report.tally.created
    assert not report.tally.updated


async def test_a_changed_row_updates_and_nothing_else_moves(office: Office) -> None:
    await office.run(GOOD)
    before = len(await office.changes("elm"))
    report = await office.run(GOOD.replace("0123", "0999").replace("Peanuts", "Peanuts and eggs"))
    assert dict(report.tally.updated) == {"guardian": 1, "alert": 1}
    new = (await office.changes("elm"))[before:]
    assert [change.entity for change in new] == [Entity.ADULT, Entity.CHILD]
    assert msgspec.json.decode(new[0].body, type=AdultRecord).phone == "0999"


async def test_a_change_that_no_device_sees_adds_no_version(office: Office) -> None:
    guardian = "record,external_id,center,given_name,family_name,email\nguardian,G-1,elm,Deniz,Ünal,{}\n"
    await office.run(GOOD, guardian.format("a@example.org").replace("G-1", "G-2"))
    before = len(await office.changes("elm"))
    report = await office.run(guardian.format("b@example.org").replace("G-1", "G-2"))
    assert dict(report.tally.updated) == {"guardian": 1}
    assert len(await office.changes("elm")) == before


BAD_ROWS = {
    "child,C-2,,,,,Silva,,,,,,,,,": ("given_name", "must not be empty"),
    "child,C-2,,,,Ana,Silva,,WASPS,,,,,,,": ("room", "no room with this id"),
    "child,C-1,,,,Ana,Silva,,,,,,,,,": ("external_id", "there already: line 4"),
    "child,C-2,,,,Ana,Silva,05.04.2023,,,,,,,,": ("birth_date", "YYYY-MM-DD"),
    "child,C-2,,,,Ana,Silva,1823-04-05,,,,,,,,": ("birth_date", "years 1900"),
    "child,C-2,,,,An\ta,Silva,,,,,,,,,": ("given_name", "control character"),
    "child,C-2,,,,An\x00a,Silva,,,,,,,,,": ("given_name", "control character"),
    '"child","C-2",,,,"An\na",Silva,,,,,,,,,': ("given_name", "control character"),
    f"child,C-2,,,,{'x' * 201},Silva,,,,,,,,,": ("given_name", "1 to 200 characters"),
    "child,C-2,,,,Ana,Silva,,,,,,0123,,,": ("phone", "no such column"),
    "child,C-2,oak,,,Ana,Silva,,,,,,,,,": ("center", "no centre with this code"),
    "pickup,,,,,,,,,C-9,G-1,authorised,,,,": ("child", "no child with this id"),
    "pickup,,,,,,,,,C-1,G-9,authorised,,,,": ("adult", "no guardian with this id"),
    "pickup,,,,,,,,,C-1,G-1,maybe,,,,": ("status", "one of authorised"),
    "alert,A-2,,,,,,,,C-9,,,,note,info,Hm": ("child", "no child with this id"),
    "center,oak,,Oak,Mars/Olympus,,,,,,,,,,,": ("time_zone", "no time zone"),
    "pet,P-1,,,,,,,,,,,,,,": ("record", "say what this line is"),
    "child,C-2": ("", "2 columns here, and 16 headings"),
    'child,C-2,,,,"Ana,Silva': ("", "cannot be read as CSV"),
}


async def test_a_file_with_any_bad_row_changes_nothing(office: Office) -> None:
    empty = await office.counts()
    for row, (column, reason) in BAD_ROWS.items():
        report = await office.run(GOOD + row + "\n")
        assert len(report.problems) == 1, (row, report.problems)
        found = report.problems[0]
        assert (found.place.line, found.column) == (8, column), row
        assert reason in found.reason, (row, found.reason)
        assert not report.stored
        assert await office.counts() == empty, row


async def test_bad_rows_can_be_left_out_with_all_that_depend_on_them(office: Office) -> None:
    rows = [
        "room,WASPS,,,,,,,,,,,,,,",
        "child,C-2,,,,Ana,Silva,,WASPS,,,,,,,",
        "pickup,,,,,,,,,C-2,G-1,authorised,,,,",
    ]
    report = await office.run(GOOD + "\n".join(rows) + "\n", skip_bad=True)
    assert [(one.place.line, one.column, one.reason) for one in report.problems] == [
        (8, "name", "this must not be empty"),
        (9, "room", "this room is in line 8, which cannot be taken"),
        (10, "child", "this child is in line 9, which cannot be taken"),
    ]
    assert report.stored
    assert (await office.counts())["person"] == 2


async def test_a_rehearsal_tells_everything_and_keeps_nothing(office: Office) -> None:
    empty = await office.counts()
    report = await office.run(GOOD, dry_run=True)
    assert sum(report.tally.created.values()) == 6
    assert not report.stored
    assert await office.counts() == empty


async def test_rows_may_point_to_what_an_earlier_import_brought(office: Office) -> None:
    await office.run(GOOD)
    later = "record,external_id,given_name,family_name,room\nchild,C-2,Ana,Silva,BEES\n"
    assert (await office.run(later)).stored


async def test_one_file_may_hold_two_centres(office: Office) -> None:
    second = GOOD.split("\n", 1)[1].replace("center,elm,,Elm", "center,oak,,Oak")
    both = GOOD + second
    report = await office.run(both)
    assert {one.reason for one in report.problems} == {"say which centre: there is more than one, or none yet"}
    rows = [line.split(",") for line in both.splitlines()]
    half = len(GOOD.splitlines())
    for number, row in enumerate(rows[1:], start=1):
        if row[0] != "center":
            row[2] = "elm" if number < half else "oak"
    report = await office.run("\n".join(",".join(row) for row in rows) + "\n")
    assert report.problems == []
    assert [change.entity for change in await office.changes("oak")] == ["center", "room", "adult", "child", "pickup"]


async def test_the_sample_centre_can_be_imported(office: Office) -> None:
    report = await office.run(shipped_csv().decode())
    assert report.problems == []
    assert report.tally.created["child"] == 60
    await office.changes(CENTER_CODE)


async def test_the_example_in_the_documentation_can_be_imported(office: Office) -> None:
    page = (Path(__file__).parents[2] / "docs" / "import-format.md").read_text(encoding="utf-8")
    example = page.split("```csv\n")[1].split("```")[0]
    assert (await office.run(example)).problems == []


async def test_rights_that_a_file_does_not_speak_of_stay_as_they_were_decided(office: Office) -> None:
    await office.run(GOOD)
    rights = "SELECT concat_ws(',', legal_guardian, can_view, can_book, emergency_rank) FROM relationship"

    async def now(columns: str, cells: str) -> str:
        pickup = f"record,child,adult,status,{columns}\npickup,C-1,G-1,authorised,{cells}\n"
        assert (await office.run(pickup)).problems == []
        async with office.units.read() as connection:
            return str(await connection.scalar(text(rights)))

    assert await now("legal_guardian,can_view,emergency_rank", "yes,no,2") == "t,f,2"
    assert await now("legal_guardian", "yes") == "t,f,2"
    assert await now("can_view,can_book,legal_guardian", "yes,no,") == "f,t,f,2"
    for column, cell in (("emergency_rank", "0"), ("emergency_rank", "100"), ("can_view", "perhaps")):
        bad = await office.run(f"record,child,adult,status,{column}\npickup,C-1,G-1,authorised,{cell}\n")
        assert [one.column for one in bad.problems] == [column]
