"""What an operator types to look after the books, as commands on a real database."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.core.private_files import write_private
from server.core.signed_heads import HeadKey
from server.services.mail import Mail, Outbox
from server.services.signed_heads import SignedHeads
from sync.journal_file import FileHeader, JournalSpan, dump
from tests.contract.server_world import Desk
from tests.support.books import Books, books_on
from tests.support.postgres import FreshDatabase, PostgresServer
from tests.support.programs import Said, said_by

pytestmark = pytest.mark.postgres

SECRET = "a secret for the tests of commands, 48 bytes...."


@dataclass
class Office:
    """A database, and a terminal."""

    books: Books
    folder: Path

    async def types(self, *arguments: str, answer: str = "") -> Said:
        """Run a command to its end."""
        urls = self.books.database.urls
        environment = {
            **os.environ,
            "DATABASE_URL": urls.app,
            "DATABASE_OWNER_URL": urls.owner,
            "DATA_DIR": str(self.folder / "data"),
            "ENVIRONMENT": "development",
            "COLUMNS": "200",
        }
        return await said_by("server", *arguments, environment=environment, answer=answer)


@pytest.fixture
async def office(postgres_server: PostgresServer, database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Office]:
    async with books_on(postgres_server, database) as books:
        await books.take_in()
        yield Office(books, tmp_path)


def exported(books: Books, desk: Desk, path: Path, children: list[str]) -> Path:
    entries = [desk.check_in(child) for child in children]
    header = FileHeader(
        device_id=desk.key.device_id,
        center_id=desk.key.center_id,
        exported_at=books.clock.now(),
        journals=(JournalSpan(desk.incarnation, 1, len(entries)),),
        public_key=desk.private_key.public_key().public_bytes_raw(),
    )
    path.write_bytes(b"".join(dump(header, entries, desk.private_key.sign)))
    return path


async def test_verify_says_what_is_right_and_names_what_is_wrong(office: Office) -> None:
    kept, copy = office.folder / "data" / "signed-heads.jsonl", office.folder / "copy.jsonl"
    write_private(office.folder / "data" / "secret_key", SECRET)
    await SignedHeads(office.books.world.units, office.books.clock, HeadKey(SECRET), kept).run()
    said = await office.types("verify")
    assert said.status == 0, said
    assert said.out.splitlines()[0].startswith("elm: right; version ")
    day = office.books.clock.now().date().isoformat()
    assert said.out.splitlines()[-1] == (
        f"signed heads: right; 1 days with 2 heads, the last of {day}; 1 days in the copy outside"
    )
    assert (await office.types("verify", "--json")).document["right"] is True
    await office.books.tamper("UPDATE change_log SET actor = 'x' WHERE version = 2 AND center_id = :c",
                              c=await office.books.center("oak"))  # fmt: skip
    said = await office.types("verify")
    assert said.status == 1
    assert "oak: wrong" in said.out
    assert "change_log, 2 (version 2)" in said.out
    # Whoever takes away what was signed, and the server's own file too, is told by a copy that was carried away.
    kept.rename(copy)
    await office.books.tamper("DELETE FROM signed_day")
    document = (await office.types("verify", "--json", "--center", "oak", "--heads", str(copy))).document
    assert document["right"] is False
    assert document["signed_heads"]["findings"][0]["what"].startswith("the row is missing: the copy outside")
    assert [found["table"] for found in document["centers"][0]["findings"]] == ["change_log"]
    assert (await office.types("verify", "--center", "elm")).status == 0
    said = await office.types("verify", "--center", "ash")
    assert (said.status, said.err) == (1, "rollcall: There is no centre with the code ash.\n")


async def test_a_backup_is_saved_and_put_back(office: Office) -> None:
    path = office.folder / "b.zip"
    said = await office.types("backup", str(path))
    assert (said.status, said.out) == (0, "")
    assert str(path) in said.err
    said = await office.types("backup", str(path))
    assert (said.status, "is there already" in said.err) == (1, True)
    assert (await office.types("backup", str(path), "--force")).status == 0
    await office.books.rename("elm", "C-1", "Later")
    said = await office.types("restore", str(path))
    assert (said.status, "has centres already" in said.err) == (1, True)
    name = "SELECT family_name FROM person WHERE external_id = 'C-1'"
    said = await office.types("restore", str(path), "--replace", answer="yes\n")
    assert (said.status, await office.books.value(name)) == (1, "Later")
    said = await office.types("restore", str(path), "--replace", answer="replace\n")
    assert said.status == 0, said
    assert "elm: right" in said.out
    assert "oak: right" in said.out
    assert await office.books.value(name) == "O'Neill"
    said = await office.types("incidents", "--center", "elm")
    assert "restored" in said.out


async def test_a_backup_that_is_damaged_is_refused_in_one_sentence(office: Office) -> None:
    path = office.folder / "b.zip"
    path.write_bytes(b"PK")
    said = await office.types("restore", str(path))
    assert (said.status, said.err) == (1, f"rollcall: {path} is no backup of Rollcall, or was cut off.\n")


async def test_a_journal_comes_in_by_hand(office: Office) -> None:
    books = office.books
    desk = await books.desk()
    path = exported(books, desk, office.folder / "a.jsonl", [await books.person("C-1"), await books.person("C-2")])
    said = await office.types("import-journal", str(path))
    assert said.status == 0, said
    assert "2 applied" in said.out
    (report,) = (await office.types("import-journal", str(path), "--json")).document
    assert report["journals"][0]["known"] == 2
    assert report["journals"][0]["outcomes"] == {"applied": 2}
    assert (await office.types("verify")).status == 0
    path.write_bytes(path.read_bytes()[:-10])
    said = await office.types("import-journal", str(path))
    assert said.status == 1
    assert said.err.startswith(f"rollcall: {path}, line 4: ")


async def test_a_log_is_compacted_after_a_rehearsal(office: Office) -> None:
    await office.books.rename("elm", "C-1", "Later")
    emptied = "SELECT count(*) FROM change_log WHERE operation = 1 AND body = ''"
    said = await office.types("compact", "--dry-run")
    assert said.status == 0, said
    assert await office.books.value(emptied) == 0
    assert "rehearsal" in said.err
    assert (await office.types("compact", "--center", "elm")).status == 0
    assert await office.books.value(emptied) == 1
    assert (await office.types("verify")).status == 0


async def test_a_child_is_moved(office: Office) -> None:
    said = await office.types("move-child", "--child", "C-1", "--to", "oak", "--room", "FOXES")
    assert (said.status, said.err) == (0, "C-1 moved from elm to oak with 2 adults.\n")
    said = await office.types("move-child", "--child", "C-1", "--to", "oak")
    assert (said.status, said.err) == (1, "rollcall: The child C-1 is at oak already.\n")


async def test_projections_are_made_again_and_what_was_wrong_is_counted(office: Office) -> None:
    await office.books.take_in()
    await office.books.morning()
    await office.types("rebuild-projections")
    await office.books.tamper("UPDATE stay SET disputed = NOT disputed")
    wrong = await office.types("rebuild-projections", "--center", "elm", "--json")
    assert (wrong.status, wrong.document["elm"]) == (1, {"subjects": 1, "wrong_stays": 1, "wrong_reviews": 0})
    right = await office.types("rebuild-projections", "--center", "elm")
    assert right.status == 0
    assert "elm" in right.out


async def test_what_waits_to_be_mailed_is_told_and_what_was_given_up_is_tried_again(office: Office) -> None:
    books = office.books
    said = await office.types("mail", "status")
    assert said.status == 0, said
    assert said.out.splitlines()[0] == "0 waiting; 0 given up; 0 sent in the last 90 days"
    outbox = Outbox(books.clock, books.new_id)
    async with books.world.units.begin() as unit:
        await outbox.queue(unit, [Mail(f"k{number}", "m@example.org", "Elm Lane", "Look") for number in range(3)])
    await books.tamper("UPDATE mail_outbox SET state = 'given_up', last_error = 'recipient refused: 550 5.1.1' "
                       "WHERE dedupe_key <> 'k0'")  # fmt: skip
    said = await office.types("mail", "status")
    assert said.out.startswith("1 waiting, the oldest since 20")
    assert "2 given up" in said.out
    assert "recipient refused: 550 5.1.1" in said.out
    assert "SMTP_HOST is not set" in said.out
    document = (await office.types("mail", "status", "--json")).document
    assert (document["waiting"], document["given_up"], document["reasons"][0]["mails"]) == (1, 2, 2)
    assert "example.org" not in said.out + json.dumps(document)
    said = await office.types("mail", "retry")
    assert (said.status, said.err) == (0, "2 mails wait again.\n")
    assert (await office.types("mail", "status", "--json")).document["waiting"] == 3
