"""A copy of what is held of somebody: made by a job, sealed, taken once by whoever asked, and ended with the right."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from httpx import Response
from sqlalchemy import text

from server.core.asking import THE_SERVER, asks
from server.core.database import create_engine
from server.core.ids import Ids
from server.core.mailed_tokens import MailedTokens, TokenKind
from server.core.sealed_parts import SealedFiles
from server.models.exports import DataExport, DataExportPart
from server.repositories import exports
from server.repositories.job_locks import JobLocks
from server.services.export_content import ExportContent
from server.services.export_maker import ExportMaker, MakerParts
from server.services.exports import TAKEN_WITHIN
from server.services.mail import Outbox
from server.services.statements import Statements
from server.services.throttles import EXPORTS
from tests.contract.server_world import new_id
from tests.support.api import PASSWORD, SECRET, Api, problem
from tests.support.families import Families, families_of
from tests.support.photo_files import telephone_photo
from tests.support.postgres import FreshDatabase

pytestmark = pytest.mark.postgres
# What mother's export must not hold: other adults, and what the office wrote.
NOT_HERS: Final = ("O'Neill,", "pat@example.org", "Silva", "courtword", "officeword", "callword", "Rui")
WEEK_MS: Final = round(TAKEN_WITHIN.total_seconds()) * 1_000
SERVICE: Final = {
    "code": "AM", "name": "Mornings", "unit": "session", "currency": "EUR", "capacity": 5,
    "weekdays": [1, 2, 3, 4, 5], "from_time": "08:00", "to_time": "13:00",
}  # fmt: skip


class Office:
    """Families, and the job that makes exports."""

    def __init__(self, families: Families) -> None:
        self.families, self.tokens = families, MailedTokens(SECRET)
        units, clock = families.units, families.api.clock
        content = ExportContent(units, clock, Statements(units, clock))
        made = MakerParts(SealedFiles(SECRET), bytes, Outbox(clock, Ids(clock).new), "https://r.example")
        self.maker = ExportMaker(units, clock, content, made)

    async def ask(self, who: str, path: str = "/my/exports") -> str:
        answer = await self.families.ask(who, "POST", path)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def make(self) -> int:
        with asks(THE_SERVER):
            return await self.maker.run()

    async def state(self, who: str, export_id: str) -> tuple[str, str]:
        found = await self.families.good(who, "GET", f"/my/exports/{export_id}")
        return found["state"], found["cause"]

    async def take(self, who: str, export_id: str, token: str = "") -> Response:
        body = {"token": token or self.tokens.token(TokenKind.EXPORT, export_id)}
        return await self.families.ask(who, "POST", f"/my/exports/{export_id}/file", json=body)

    async def parts(self) -> int:
        return int(await self.families.value("SELECT count(*) FROM data_export_part"))


@pytest.fixture
async def office(api: Api, database: FreshDatabase) -> AsyncIterator[Office]:
    engine = create_engine(database.urls.app, pool_size=1)
    # The app's own job makes nothing meanwhile.
    async with JobLocks(engine).held("make_exports") as is_ours, families_of(api, database) as families:
        assert is_ours
        yield Office(families)
    await engine.dispose()


async def fill(families: Families) -> None:
    """Something of every kind about mother's child, some of it for the centre alone."""
    at = "{north}/children/{C1}"
    for kind, words in (("allergy", "Peanuts"), ("custody", "courtword")):
        alert = {"id": new_id(), "kind": kind, "severity": "critical", "text": words}
        await families.good("manager", "POST", f"{at}/alerts", json=alert)
    absence = {
        "absence_id": new_id(), "kind": "sick", "first_day": "2026-09-22", "last_day": "2026-09-22",
        "note": "officeword",
    }  # fmt: skip
    await families.good("manager", "POST", f"{at}/absences", json=absence)
    call = {"follow_up_id": new_id(), "day": "2026-09-21", "result": "reached", "note": "callword"}
    await families.good("manager", "POST", f"{at}/follow-ups", json=call)
    put = await families.ask("manager", "PUT", f"{at}/photo", content=telephone_photo(), kind="image/jpeg")
    assert put.is_success, put.text
    service = new_id()
    await families.good("manager", "PUT", f"{{north}}/services/{service}", json=SERVICE)
    await families.good(
        "manager", "PUT", f"{{north}}/services/{service}/terms/2026-01-01", tag="*", json={"price": "25.50"}
    )
    booking = {"id": new_id(), "child_id": families.ids["C-1"], "service_id": service, "day": "2026-09-21"}
    await families.good("manager", "POST", "{north}/bookings", json=booking)
    desk = await families.desk()
    child = families.ids["C-1"]
    await families.push(
        desk, desk.check_in(child, minute=-300, adult_id=families.ids["G-1"]),
        desk.check_out(child, minute=-200, adult_name="=HYPERLINK(1)"),
    )  # fmt: skip


def opened(answer: Response) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def items(files: dict[str, bytes], name: str) -> list[dict[str, Any]]:
    told = json.loads(files[name])
    assert told["format"] == "rollcall-export/1"
    return list(told["items"])


async def test_a_family_takes_what_is_held_of_it_once_and_nobody_else_does(office: Office) -> None:
    families = office.families
    await fill(families)
    mine = await office.ask("mother")
    assert await office.ask("mother") == mine, "asked again before it is made"
    assert problem(await office.take("mother", mine)) == (409, "export_not_made")
    assert await office.make() == 1
    assert await office.state("mother", mine) == ("made", "")
    await _whoever_asked_and_has_the_token_takes_it(office, mine)
    # What breaks off can be begun again: the file is there until its last byte was handed on.
    services = families.api.services
    user = await _user(office, "mother")
    package = await services.parents.exports.open(user, mine, office.tokens.token(TokenKind.EXPORT, mine))
    begun = services.parents.exports.chunks(user, package)
    assert len(await anext(begun)) > 0
    await begun.aclose()
    assert await office.state("mother", mine) == ("made", "")
    files = await _taken_by_one_who_hangs_up(office, mine)
    _tells_what_is_hers(families, files)
    assert (await office.state("mother", mine), await office.parts()) == (("taken", ""), 0)
    assert problem(await office.take("mother", mine)) == (409, "export_over")
    rows = await families.value(
        "SELECT array_agg(verb || ' ' || route || ' ' || part) FROM audit_entry WHERE entity_id = ANY(:ids)",
        ids=[mine, families.ids["C-1"]],
    )
    for told in (
        "changed POST /my/exports ", "changed job make_exports ",
        "changed POST /my/exports/{export_id}/file ", "read POST /my/exports/{export_id}/file export",
        "read job make_exports export",
    ):  # fmt: skip
        assert told in rows, told
    assert await families.wrong_books() == []


async def _taken_by_one_who_hangs_up(office: Office, mine: str) -> dict[str, bytes]:
    """Take it as programs do: with the last byte that was promised the connection is closed."""
    families = office.families
    body = json.dumps({"token": office.tokens.token(TokenKind.EXPORT, mine)}).encode()
    path = f"/api/v1/my/exports/{mine}/file"
    headers = {**await families.headers("mother"), "content-type": "application/json"}
    asked, whole = [{"type": "http.request", "body": body}], asyncio.Event()
    got, promised = bytearray(), [0]

    async def receive() -> dict[str, Any]:
        if asked:
            return asked.pop()
        await whole.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            promised[0] = int(dict(message["headers"])[b"content-length"])
        else:
            got.extend(message.get("body", b""))
        if got and len(got) == promised[0]:
            whole.set()

    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()], "http_version": "1.1",
        "scheme": "http", "server": ("test", 80), "client": ("test", 1), "asgi": {"version": "3.0"}, "root_path": "",
    }  # fmt: skip
    await families.api.app(scope, receive, send)
    async with asyncio.timeout(30):
        while (await office.state("mother", mine))[0] == "made":
            await asyncio.sleep(0)
    with zipfile.ZipFile(io.BytesIO(got)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def _user(office: Office, who: str) -> Any:
    headers = await office.families.headers(who)
    return await office.families.api.services.auth.identify(headers["Authorization"].removeprefix("Bearer "))


async def _whoever_asked_and_has_the_token_takes_it(office: Office, mine: str) -> None:
    families = office.families
    statement = "SELECT subject || body FROM mail_outbox WHERE dedupe_key = :key"
    mail = await families.value(statement, key=f"export_made:{mine}")
    token = office.tokens.token(TokenKind.EXPORT, mine)
    assert (token in mail, token in office.tokens.fill(mail)) == (False, True)
    assert not any(word in mail for word in ("Zoë", "Ünal", "North"))
    # In the tables it is sealed, and a part of it is not to be had by anybody else.
    sealed = await families.value("SELECT string_agg(encode(body, 'escape'), '') FROM data_export_part")
    assert not any(word in sealed for word in ("README", "children/", "Peanuts"))
    for who in ("father", "manager", "neighbour"):
        assert problem(await office.take(who, mine, token)) == (404, "not_found")
        assert problem(await families.ask(who, "GET", f"/my/exports/{mine}")) == (404, "not_found")
        assert problem(await families.ask(who, "DELETE", f"/my/exports/{mine}")) == (404, "not_found")
    for wrong in ("A" * 64, office.tokens.token(TokenKind.RECOVERY, mine)):
        assert problem(await office.take("mother", mine, wrong)) == (403, "link_not_good")
    path = f"/my/exports/{mine}/token"
    refused = await families.ask("mother", "POST", path, json={"password": "wrong as can be, twice"})
    assert problem(refused) == (403, "wrong_password")
    given = await families.good("mother", "POST", path, json={"password": PASSWORD})
    assert given == {"token": token, "expires_at": "2026-09-28T14:13:20Z"}
    listed = await families.good("mother", "GET", "/my/exports?limit=1")
    assert ([one["id"] for one in listed["items"]], listed["next_cursor"]) == ([mine], "")


def _tells_what_is_hers(families: Families, files: dict[str, bytes]) -> None:
    at = f"children/{families.ids['C-1']}/"
    assert items(files, "account.json")[0]["email"] == "mother@example.org"
    assert items(files, "people.json")[0]["phone"] == "+351 910 000 001"
    assert items(files, f"{at}child.json")[0]["given_name"] == "Zoë"
    assert [one["text"] for one in items(files, f"{at}alerts.json")] == ["Peanuts"]
    assert items(files, f"{at}absences.json")[0]["kind"] == "sick"
    assert [one["adult_id"] for one in items(files, f"{at}relationships.json")] == [families.ids["G-1"]]
    (stay,) = items(files, f"{at}attendance-2026.json")
    assert (stay["brought"]["name"], stay["collected"]["name"]) == ("Deniz Ünal", "=HYPERLINK(1)")
    (charges,) = (one for one in items(files, f"{at}charges-2026.json") if one["lines"])
    assert [(one["kind"], one["amount"]) for one in charges["lines"]] == [("attended", "25.50")]
    assert [one["service"] for one in items(files, f"{at}bookings.json")] == ["Mornings"]
    table = files[f"{at}attendance-2026.csv"].decode("utf-8-sig")
    assert files[f"{at}attendance-2026.csv"].startswith(b"\xef\xbb\xbf")
    assert '"\'=HYPERLINK(1)"' in table
    assert files[f"{at}photo.jpg"].startswith(b"\xff\xd8")
    said = files["README.txt"].decode()
    assert all(f"  {name}\r\n" in said for name in files if name != "README.txt")
    everything = b"".join(files.values()).decode("utf-8", "replace")
    assert [word for word in NOT_HERS if word in everything] == []
    assert families.ids["C-2"] not in everything


async def test_an_export_ends_with_its_week_with_the_right_and_with_whom_it_is_of(office: Office) -> None:
    families = office.families
    await fill(families)
    child_file = "{north}/children/{C1}/exports"
    for who, path, status in (
        ("staff", child_file, 403), ("mother", child_file, 403), ("stranger", child_file, 404),
        ("manager", f"{{north}}/children/{new_id()}/exports", 404),
    ):  # fmt: skip
        assert problem(await families.ask(who, "POST", path))[0] == status
    # The centre's own copy has what the office wrote, and all adults.
    whole, hers, theirs = (
        await office.ask("manager", child_file),
        await office.ask("mother"),
        await office.ask("neighbour"),
    )
    assert await office.make() == 3
    files = opened(await office.take("manager", whole))
    everything = b"".join(files.values()).decode("utf-8", "replace")
    assert "account.json" not in files
    assert [word for word in ("courtword", "officeword", "callword", "pat@example.org") if word not in everything] == []
    # Who may not see the child any more gets nothing, and the next run takes the file away.
    kin = f"{{north}}/children/{{C2}}/relationships/{families.ids['G-3']}"
    await families.good("manager", "PUT", kin, json={"kind": "father", "can_view": False}, tag="*")
    assert problem(await office.take("neighbour", theirs)) == (404, "not_found")
    # Nor who may not book any more: bookings and charges are in the file.
    kin = f"{{north}}/children/{{C1}}/relationships/{families.ids['G-1']}"
    await families.good(
        "manager", "PUT", kin, json={"kind": "mother", "legal_guardian": True, "can_book": False}, tag="*"
    )
    assert problem(await office.take("mother", hers)) == (404, "not_found")
    assert (await office.make(), await office.parts()) == (0, 0)
    assert await office.state("neighbour", theirs) == ("ended", "rights")
    assert await office.state("mother", hers) == ("ended", "rights")
    again = await office.ask("mother")
    await office.make()
    newer = await office.ask("mother")
    await office.make()
    assert await office.state("mother", again) == ("ended", "replaced")
    without = opened(await office.take("mother", newer))
    assert not any("charges" in name or "bookings" in name for name in without)
    await _a_making_that_was_overtaken_writes_nothing(office)
    await _a_week_is_the_end(office, child_file)
    await _who_is_erased_takes_exports_along(office, child_file)


async def _a_making_that_was_overtaken_writes_nothing(office: Office) -> None:
    families = office.families
    asked = await office.ask("neighbour")
    for _ in range(2):
        await families.good("neighbour", "DELETE", f"/my/exports/{asked}")
    assert (await office.make(), await office.state("neighbour", asked)) == (0, ("ended", "withdrawn"))
    # Two at once are one request, and one file.
    both = await asyncio.gather(office.ask("neighbour"), office.ask("neighbour"))
    assert both[0] == both[1]
    async with families.units.begin() as unit:
        export = await exports.find(unit.session, families.accounts["neighbour"], both[0])
        assert isinstance(export, DataExport)
        row = DataExportPart(export_id=export.id, number=0, organisation_id=export.organisation_id, body=b"x")
        assert not await exports.add_part(unit.connection, row, attempts=export.attempts + 1)
    assert sum(await asyncio.gather(office.make(), office.make())) == 1


async def _a_week_is_the_end(office: Office, child_file: str) -> None:
    families = office.families
    old = await office.ask("manager", child_file)
    await office.make()
    families.api.clock.advance_ms(WEEK_MS)
    families.sign_out()
    assert problem(await office.take("manager", old)) == (409, "export_over")
    await office.make()
    assert (await office.state("manager", old), await office.parts()) == (("expired", ""), 0)
    for _ in range(EXPORTS.burst):
        found = await office.ask("neighbour")
        await families.good("neighbour", "DELETE", f"/my/exports/{found}")
    assert problem(await families.ask("neighbour", "POST", "/my/exports")) == (429, "rate_limited")


async def _who_is_erased_takes_exports_along(office: Office, child_file: str) -> None:
    families = office.families
    of_child, hers = await office.ask("manager", child_file), await office.ask("mother")
    assert await office.make() == 2
    asked = {"id": new_id(), "kind": "child", "person_id": families.ids["C-1"]}
    await families.good("manager", "POST", "{north}/erasures", json=asked)
    said = {"reason": "family_asked", "password": PASSWORD}
    await families.good("manager", "POST", f"{{north}}/erasures/{asked['id']}/confirmation", json=said)
    assert await office.state("manager", of_child) == ("ended", "erased")
    assert (await office.state("mother", hers), await office.parts()) == (("ended", "erased"), 0)
    mine = await office.ask("mother")
    assert await office.make() == 1
    await families.good("mother", "POST", "/users/me/erasure", json={"password": PASSWORD})
    statement = text("SELECT count(*) FROM data_export WHERE id = :id")
    async with families.units.read() as connection:
        assert await connection.scalar(statement, {"id": mine}) == 0
    assert await office.parts() == 0
