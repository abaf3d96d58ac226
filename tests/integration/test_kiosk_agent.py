"""The agent as a process: its manual's example, its ends, and kills that lose nothing it said."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kiosk.services.desk import Desk, DeskError
from kiosk.services.enrolment import Request, enrol
from kiosk.store.schema import SCHEMA_VERSION
from tests.support.kiosk_agent import AgentProcess
from tests.support.kiosk_server import ADA, BEN, CODE, ZOE, FakeServer, until
from tests.support.programs import Forked

SECOND_CODE = "WXYZ-6789"
MANUAL = Path(__file__).parents[2] / "docs" / "agent.md"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    server.fill()
    server.codes[SECOND_CODE] = ""
    async with server.running():
        yield server


@pytest.fixture
async def folder(server: FakeServer, tmp_path: Path) -> Path:
    await enrol(Request(server=server.url, code=CODE, data_dir=tmp_path / "desk", name="Front door"), lambda _: None)
    return tmp_path / "desk"


@contextlib.asynccontextmanager
async def agent(folder: Path) -> AsyncIterator[AgentProcess]:
    process = await AgentProcess.start(folder)
    try:
        await process.heard(event="ready")
        yield process
    finally:
        await process.kill()


def example() -> list[str]:
    text = MANUAL.read_text(encoding="utf-8").split("## An example", 1)[1]
    return text.split("```")[1].strip().splitlines()


async def test_the_example_of_the_manual_is_what_happens(folder: Path) -> None:
    process = await AgentProcess.start(folder)
    try:
        for text in example():
            if text.startswith("> "):
                await process.send(text.removeprefix("> ").encode())
                continue
            wanted = re.escape(text).replace(r"\.\.\.", ".*")
            event = re.search(r'"event":"(\w+)"', text)
            assert event is not None
            more = {"id": 5} if '"id":5' in text else {}
            line = await process.heard(event=event[1], **more)
            assert re.fullmatch(wanted, msgspec.json.encode(line).decode()), text
        assert (await process.ended())[0] == 0
    finally:
        await process.kill()


def test_every_code_in_the_program_is_in_the_manual() -> None:
    manual = MANUAL.read_text(encoding="utf-8")
    root = Path(__file__).parents[2] / "kiosk"
    sources = [
        root / "agent.py",
        *(root / "services" / f"{name}.py" for name in ("desk", "newcomers", "refusals", "roster")),
    ]
    codes = {code for path in sources for code in re.findall(r'DeskError\(\s*"(\w+)"', path.read_text())}
    assert len(codes) > 8
    assert [code for code in codes if f"`{code}`" not in manual] == []


async def test_bad_lines_are_answered_and_the_next_line_works(folder: Path) -> None:
    async with agent(folder) as process:
        await process.send(b"\xff\xfe")
        assert (await process.heard(event="error"))["code"] == "not_json"
        await process.send(b"[1]")
        assert (await process.heard(event="error"))["code"] == "bad_input"
        await process.send({"do": "dance", "id": "x"})
        assert (await process.heard(event="error", id="x"))["code"] == "unknown_command"
        await process.send(b"[" * 60_000)
        assert (await process.heard(event="error"))["code"] == "bad_input"
        await process.send(b'{"do":"' + b"x" * 200_000 + b'"}')
        assert (await process.heard(event="error"))["code"] == "line_too_long"
        await process.send({"do": "check_in"})
        assert (await process.heard(event="error"))["code"] == "bad_input"
        await process.send({"do": "check_in", "child": BEN, "at": "yesterday"})
        assert (await process.heard(event="error"))["code"] == "bad_input"
        await process.send({"do": "check_in", "child": "Ada Abel"})
        assert (await process.heard(event="error"))["code"] == "ambiguous_name"
        stranger = {"do": "check_in", "provisional_name": "Mia Berger"}
        for more, code in (
            ({"child": BEN}, "bad_input"),
            ({"room": "Attic"}, "unknown_room"),
            ({"room": BEN}, "unknown_room"),
        ):
            await process.send({**stranger, **more})
            assert (await process.heard(event="error"))["code"] == code
        await process.send(stranger)
        guest = (await process.heard(event="recorded"))["child_id"]
        await process.send({"do": "check_out", "child": "Mia Berger", "adult": "Paula Berger"})
        assert (await process.heard(event="recorded", kind="check_out"))["child_id"] == guest
        await process.send({"do": "check_in", "child": ADA, "at": "2026-11-20T07:41:00+01:00"})
        assert (await process.heard(event="recorded", child_id=ADA))["at"] == "2026-11-20T06:41:00.000Z"
        await process.send({"do": "roster"})
        roster = await process.heard(event="roster")
        assert [child["status"] for child in roster["children"] if child["child_id"] == ADA] == ["in"]
        assert [child["name"] for child in roster["children"] if not child["on_file"]] == ["Mia Berger"]


@pytest.mark.parametrize("end", ["input", "term", "output"])
async def test_every_end_is_clean(folder: Path, server: FakeServer, end: str) -> None:
    async with agent(folder) as process:
        await process.send({"do": "check_in", "child": BEN})
        await process.heard(event="recorded")
        if end == "input":
            assert process.process.stdin is not None
            process.process.stdin.close()
        elif end == "term":
            process.process.send_signal(signal.SIGTERM)
        else:
            assert isinstance(process.process, Forked)
            process.process.hang_up()
            await process.send({"do": "roster"})
            await asyncio.wait_for(process.process.wait(), 60)
            assert process.process.returncode == 0
            return
        code, errors = await process.ended()
        assert (code, errors) == (0, "")
        assert process.lines[-1]["event"] == "bye"
        assert process.lines[-1]["waiting"] == 0
        assert len(server.events()) == 1


async def test_a_reader_that_stopped_reading_cannot_keep_the_agent_from_its_end(folder: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "kiosk", "agent", "--data", str(folder)], stdin=subprocess.PIPE, stdout=writing
    )
    os.close(writing)
    try:
        assert process.stdin is not None
        assert os.read(reading, 1)
        os.set_blocking(process.stdin.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while os.write(process.stdin.fileno(), b'{"do":"roster"}\n' * 1_000):
                pass
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(reading)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["enrol", "--server", "nowhere", "--code", "ABCD-2345"], 1, "no server address"),
        (["enrol", "--server", "http://127.0.0.1:9", "--code", "short"], 1, "eight letters"),
        (["enrol", "--server", "http://127.0.0.1:9", "--code", "ABCD-2345"], 1, "cannot be reached"),
        (["status"], 4, "holds no enrolled device"),
        (["run"], 1, "no terminal"),
        (["dance"], 2, ""),
    ],
)
def test_every_refusal_is_a_sentence_and_an_exit_code(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "kiosk", *arguments, "--data", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert found.returncode == code
    assert words in found.stderr
    assert "Traceback" not in found.stderr


async def test_a_second_program_on_the_folder_is_refused(folder: Path) -> None:
    async with agent(folder):
        second = await AgentProcess.start(folder)
        code, errors = await second.ended()
        assert code == 3
        assert "Another program uses" in errors
        assert "Traceback" not in errors
        found = subprocess.run(
            [sys.executable, "-m", "kiosk", "status", "--data", str(folder), "--json"],
            check=True,
            capture_output=True,
        )
        assert msgspec.json.decode(found.stdout)["in_use"] is True


async def test_a_folder_that_is_no_desk_is_refused(tmp_path: Path) -> None:
    process = await AgentProcess.start(tmp_path)
    code, errors = await process.ended()
    assert code == 4
    assert "rollcall-kiosk enrol" in errors


async def test_a_kill_loses_nothing_that_was_recorded_and_each_is_confirmed(server: FakeServer, folder: Path) -> None:
    await server.stop()
    recorded = []
    for child in (ADA, BEN, ZOE):
        async with agent(folder) as process:
            await process.send({"do": "check_in", "child": child})
            recorded.append((await process.heard(event="recorded"))["event_id"])
            process.process.kill()
    await server.start()
    async with agent(folder) as process:
        confirmed = [(await process.heard(event="confirmed"))["event_id"] for _ in recorded]
        assert confirmed == recorded
    assert len(server.events()) == 3


async def test_an_outcome_that_was_stored_but_not_told_is_told_after_a_kill(server: FakeServer, folder: Path) -> None:
    desk = await Desk.open(folder)
    link = asyncio.create_task(desk.run_link())
    recorded = await desk.check_in(BEN)

    async def is_settled() -> bool:
        return (await desk.status()).waiting == 0

    await until(is_settled)
    link.cancel()
    await asyncio.gather(link, return_exceptions=True)
    await desk.close()
    async with agent(folder) as process:
        assert (await process.heard(event="confirmed"))["event_id"] == recorded.event_id
        await process.send({"do": "quit"})
        await process.ended()
    again = await AgentProcess.start(folder)
    await again.send({"do": "quit"})
    await again.ended()
    assert [line["event"] for line in again.lines if line["event"] == "confirmed"] == []


async def test_another_desk_hears_of_each_event_once(server: FakeServer, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    await enrol(Request(server=server.url, code=SECOND_CODE, data_dir=other), lambda _: None)
    async with agent(folder) as front, agent(other) as back:
        await front.send({"do": "check_in", "child": BEN})
        event_id = (await front.heard(event="recorded"))["event_id"]
        change = await back.heard(event="change")
        assert (change["event_id"], change["status"]) == (event_id, "in")
        await back.send({"do": "check_out", "child": BEN, "adult": "Mia Brook"})
        await back.heard(event="confirmed")
        assert (await front.heard(event="change"))["status"] == "out"
        await back.send({"do": "quit"})
        await back.ended()
        assert sum(1 for line in back.lines if line["event"] == "change") == 1


async def test_status_tells_of_lease_journals_incidents_and_quarantined_files(server: FakeServer, folder: Path) -> None:
    server.lease_ms = 48 * 3_600_000
    await desk_told_everything(folder)
    await server.stop()
    content = bytearray((folder / "replica.db").read_bytes())
    content[100:200] = bytes(100)
    (folder / "replica.db").write_bytes(content)
    desk = await Desk.open(folder)
    await desk.close()
    found = msgspec.json.decode(status_of(folder, "--json"))
    assert (found["waiting"], found["incidents_waiting"], found["locked"]) == (1, 1, False)
    assert found["schema_version"] == SCHEMA_VERSION
    assert [one["current"] for one in found["journals"]] == [False, True]
    assert [Path(path).parent for path in found["quarantined"]] == [folder / "quarantine"]
    words = status_of(folder).decode()
    assert "Lease:        none" in words, "a new replica holds no data that a lease could guard"
    assert "Incidents:    1 not told to the server yet" in words
    assert "Older:" in words
    await server.start()
    await desk_told_everything(folder)
    assert re.search("Lease:        4[78] h left without the server", status_of(folder).decode())
    assert msgspec.json.decode(status_of(folder, "--json"))["incidents_waiting"] == 0


def status_of(folder: Path, *arguments: str) -> bytes:
    command = [sys.executable, "-m", "kiosk", "status", "--data", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


async def desk_told_everything(folder: Path) -> None:
    """Record one arrival, unless the child is in, and let the server answer everything."""
    desk = await Desk.open(folder)
    link = asyncio.create_task(desk.run_link())

    async def is_told() -> bool:
        return desk.is_current and (await desk.status()).waiting == 0

    try:
        with contextlib.suppress(DeskError):
            await desk.check_in(BEN)
        await until(is_told)
    finally:
        link.cancel()
        await asyncio.gather(link, return_exceptions=True)
        await desk.close()
