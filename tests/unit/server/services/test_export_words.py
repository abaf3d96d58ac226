"""What guardians are shown of a child, what stays with its centre, and files that say what they are."""

import csv
import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from server.models.absences import Absence, AbsenceFollowUp
from server.models.people import Alert, AlertKind
from server.services import export_words
from server.services.export_words import Reader, Said
from server.services.stay_history import Handover, MyStay

LISBON = ZoneInfo("Europe/Lisbon")
AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
BROUGHT = Handover("=1+1", "mother", "staff_attested", "", "Front", True, False, False)
STAY = MyStay("s", date(2026, 10, 25), 1_792_886_400_000, None, BROUGHT, None, True, True, None)


def test_custody_and_the_words_of_the_office_stay_with_the_centre() -> None:
    alerts = [
        Alert(center_id="c", id=kind, external_id=kind, child_id="x", kind=kind, severity="info", text=kind)
        for kind in AlertKind
    ]
    shown = {one["kind"] for one in export_words.alert_words(alerts, Reader.GUARDIAN)}
    assert {kind.value for kind in AlertKind} - shown == {"custody"}
    assert len(export_words.alert_words(alerts, Reader.CENTER)) == len(alerts)
    day = date(2026, 9, 22)
    absence = Absence(
        center_id="c", id="a", child_id="x", first_day=day, last_day=day, kind="sick", informed_by="Pat", note="fever",
        created_at=AT, changed_at=AT,
    )  # fmt: skip
    call = AbsenceFollowUp(
        center_id="c", id="f", child_id="x", day=day, at=AT, by_name="Ruth", result="reached", note="angry"
    )
    for reader, held in ((Reader.GUARDIAN, False), (Reader.CENTER, True)):
        told = json.dumps([export_words.absence_words(absence, reader), export_words.call_words(call, reader)],
                          default=str)  # fmt: skip
        assert [word in told for word in ("Pat", "fever", "Ruth", "angry")] == [held] * 4
        assert "sick" in told
        assert "reached" in told


def test_a_file_says_its_format_and_times_have_the_offset_of_the_centre() -> None:
    told = json.loads(export_words.json_file("attendance", [export_words.stay_words(STAY, LISBON)], year=2026))
    assert (told["format"], told["resource"], told["year"]) == ("rollcall-export/1", "attendance", 2026)
    (item,) = told["items"]
    assert (item["started_at"], item["ended_at"]) == ("2026-10-25T01:00:00+01:00", None)
    assert (item["brought"]["name"], item["collected"]) == ("=1+1", None)


def test_the_table_opens_in_a_spreadsheet_and_runs_nothing() -> None:
    head, line = csv.reader(export_words.attendance_csv([STAY], LISBON).decode("utf-8-sig").splitlines())
    assert tuple(head) == export_words.ATTENDANCE_COLUMNS
    assert line == [
        "2026-10-25", "2026-10-25 01:00:00+01:00", "", "'=1+1", "mother", "staff_attested", "", "", "",
        "disputed, nobody saw the child go", "s",
    ]  # fmt: skip


def test_the_readme_names_every_file_and_what_is_not_there() -> None:
    children = [Said("x", "Zoë", "Elm Lane")]
    mine = export_words.readme(AT, ["account.json", "children/x/child.json"], children, Reader.GUARDIAN).decode()
    for words in ("  account.json\r\n", "  children/x/  Zoë, Elm Lane\r\n", "2026-09-21 at 14:13 (UTC)", "Not in it"):
        assert words in mine
    assert "Before you hand it to" in export_words.readme(AT, [], [], Reader.CENTER).decode()
