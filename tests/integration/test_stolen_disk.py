"""A copy of everything a desk keeps on its disk, taken while it works, after a crash and when it is closed."""

import asyncio
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest
import structlog

from kiosk.services.crashes import crash_report, keep_report
from kiosk.services.desk import Desk, DeskError
from kiosk.services.desk_file import LabelFormat, LabelSettings
from kiosk.services.door import DoorMode
from kiosk.services.enrolment import Request, enrol
from kiosk.services.release import Refusal
from kiosk.settings import DataFolder, log_nowhere, log_to_file
from sync.records import AdultRecord, AlertRecord, ChildRecord, Entity, PickupRecord
from sync.rollcall import RollMark
from tests.integration.test_kiosk_door import KEY, PEPPER, give_pin, text_of
from tests.support.kiosk_center import ROOM_ID
from tests.support.kiosk_server import ADA, CODE, MOTHER, FakeServer, until

RUTH: Final = "018f0000-0000-7000-8000-0000000000d1"
PIN: Final = "483920"
WRONG_PIN: Final = "592746"
CANARIES: Final = {
    "child": "Ottilie", "family": "Quistgaard", "adult": "Wendelmoet", "alert": "Paranüsse", "medical": "Epilepsie",
    "visitor": "Hyacinthus", "typed": "Eusebius", "staff": "Rosalind", "pin": PIN, "wrong pin": WRONG_PIN,
}  # fmt: skip
ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be")


def readable(folder: Path) -> dict[str, set[str]]:
    """Which canaries can be read in which files, in any case and any of the encodings that programs write."""
    found: dict[str, set[str]] = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes() + os.fsencode(path.name)
        content += content.lower()
        for what, words in CANARIES.items():
            forms = {word.encode(encoding) for word in (words, words.lower()) for encoding in ENCODINGS}
            forms |= {msgspec.json.encode(words)[1:-1]}
            if any(form in content for form in forms):
                found.setdefault(str(path.relative_to(folder)), set()).add(what)
    return found


def fill(server: FakeServer) -> None:
    """One family whose every word is a canary."""
    server.fill()
    alerts = (
        AlertRecord(kind="allergy", severity="critical", text="Paranüsse"),
        AlertRecord(kind="medical", severity="critical", text="Epilepsie"),
    )
    child = ChildRecord(given_name="Ottilie", family_name="Quistgaard", home_room_id=ROOM_ID, alerts=alerts)
    server.put(Entity.CHILD, ADA, child)
    server.put(Entity.ADULT, MOTHER, AdultRecord(given_name="Wendelmoet", family_name="Quistgaard"))
    pickup = PickupRecord(child_id=ADA, adult_id=MOTHER, status="authorised", relationship="parent")
    server.put(Entity.PICKUP, "018f0000-0000-7000-8000-0000000000e1", pickup)
    give_pin(server, RUTH, "Rosalind", PIN)


def fail() -> None:
    raise RuntimeError("near Ottilie Quistgaard")


async def live(desk: Desk, paper: Path) -> None:
    """A morning that touches everything that keeps something."""
    with pytest.raises(DeskError):
        await desk.door.unlock(RUTH, WRONG_PIN)
    await desk.door.unlock(RUTH, PIN)
    program = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"
    command = (sys.executable, "-c", program, str(paper))
    labels = desk.building.labels
    labels.settings = LabelSettings(print_command=command, format=LabelFormat.TEXT, allergies=True)
    await desk.counter.arrive([ADA])
    await desk.counter.refuse([ADA], Refusal(adult_name="Eusebius", reason_code="unfit"))
    await desk.building.visits.visitor_in("Hyacinthus", purpose="boiler", host="Rosalind")
    await desk.building.rollcalls.mark(ADA, RollMark.MISSING)
    await desk.building.rollcalls.print_now()
    await labels.printed()
    try:
        fail()
    except RuntimeError as error:
        structlog.get_logger().exception("desk_step_failed")
        words = f"Task failed: {error!r}"  # as asyncio does
        logging.getLogger("asyncio").exception(words)
        keep_report(DataFolder(paper.parent / "desk").crashes, crash_report(error, 0))


async def test_a_stolen_disk_shows_no_name_no_alert_and_no_pin(tmp_path: Path) -> None:
    server, folder, paper = FakeServer(), tmp_path / "desk", tmp_path / "paper"
    fill(server)
    server.door_keys = {"pin_pepper": text_of(PEPPER), "family_key": text_of(KEY.public_key().public_bytes_raw())}
    server.server_says = {"server_version": "99.1.0"}
    async with server.running():
        await enrol(Request(server=server.url, code=CODE, data_dir=folder, name="Front"), lambda _: None)
        log_to_file(DataFolder(folder).log)
        try:
            desk = await Desk.open(folder)
            link = asyncio.create_task(desk.run_link())
            await until(lambda: desk.is_current and desk.door.state().mode is DoorMode.LOCKED)
            await live(desk, paper)
            assert (await desk.status()).newer_version == "99.1.0"  # an older desk, and it did all of that
            shutil.copytree(folder, tmp_path / "while it works")
            link.cancel()
            await asyncio.gather(link, return_exceptions=True)
            await desk.close()
        finally:
            log_nowhere()
    assert "ALLERGIES: Paranüsse" in paper.read_text(encoding="utf-8")  # the morning did happen
    kept = {path.name for path in folder.iterdir()}
    assert {"replica.db", "kiosk.log", "crashes", "rollcalls"} <= kept
    assert "desk_step_failed" in DataFolder(folder).log.read_text(encoding="utf-8")
    for image in (tmp_path / "while it works", folder):
        assert readable(image) == {}
    (tmp_path / "seen").mkdir()
    (tmp_path / "seen" / "Ottilie.txt").write_text("PARANÜSSE".lower(), encoding="utf-16-le")
    assert readable(tmp_path / "seen") == {"Ottilie.txt": {"child", "alert"}}  # the search does find what is there
    command = [sys.executable, "-m", "kiosk", "sheet", "--data", str(folder)]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()
    assert "[!] Ottilie Quistgaard" in printed  # whoever has the desk's keys prints it, with no replica and no screen
