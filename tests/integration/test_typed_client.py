"""The client that is made from the API's document, where Node is there: a parent's whole flow, and its types."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from server.web.typed_client import typed_client
from tests.support.api import PASSWORD
from tests.support.clock import FakeClock
from tests.support.families import ADDRESSES, families_of
from tests.support.live_office import open_live_office
from tests.support.postgres import FreshDatabase
from tests.unit.server.web.test_typed_client import document

ROOT: Final = Path(__file__).parents[2]
FLOW: Final = ROOT / "tests" / "support" / "parent_flow.mjs"
NODE, TSC = shutil.which("node"), shutil.which("tsc")
DEADLINE_S: Final = 60
COMMAND_DEADLINE_S: Final = 150


def write_client(folder: Path) -> Path:
    """The client, and the flow beside it."""
    for name, text in typed_client(document()).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return Path(shutil.copy(FLOW, folder))


class Flow:
    """The program of a parent, step by step."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout

    async def step(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            line = await self.stdout.readline()
        assert line, "the program ended"
        return dict(json.loads(line))

    async def go_on(self) -> None:
        self.stdin.write(b"\n")
        await self.stdin.drain()


@pytest.mark.postgres
@pytest.mark.skipif(NODE is None, reason="node is not installed (Debian: nodejs)")
async def test_a_parents_flow_runs_with_the_client(database: FreshDatabase, tmp_path: Path) -> None:
    clock = FakeClock()
    async with (
        open_live_office(database, tmp_path / "data", clock=clock) as office,
        families_of(office.api, database) as families,
    ):
        assert NODE is not None
        (tmp_path / "app").mkdir()
        program = write_client(tmp_path / "app")
        base = str(office.api.client.base_url)
        process = await asyncio.create_subprocess_exec(
            NODE, str(program), base, ADDRESSES["mother"], PASSWORD,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        flow = Flow(process)
        assert await flow.step() == {"stranger": "401 unauthenticated"}
        assert await flow.step() == {"child": "Zoë", "status": "not_here"}
        assert await flow.step() == {"live": "not_here", "id": True}
        desk = await families.desk()
        await families.push(desk, desk.check_in(families.ids["C-1"], minute=-30))
        while (found := await flow.step())["live"] != "in":
            pass
        assert found == {"live": "in", "id": True}
        clock.advance_ms(16 * 60_000)
        await flow.go_on()
        assert await flow.step() == {"confirmed": True, "pairs": 2}, "refreshed once"
        assert await flow.step() == {"months": ["2026-09"], "same": None}
        assert await flow.step() == {"csv": True}
        assert await flow.step() == {"foreign": "404 not_found"}
        assert await flow.step() == {"after": "401 unauthenticated", "pairs": 3}
        assert await process.wait() == 0


def test_the_command_writes_a_client_and_its_types_and_the_flow_compile(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "app"
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    written = subprocess.run(
        [sys.executable, "-m", "server", "openapi", "--client", str(folder)], capture_output=True, text=True,
        check=False, cwd=tmp_path, env={**environment, "PYTHONPATH": str(ROOT)}, timeout=COMMAND_DEADLINE_S,
    )  # fmt: skip
    assert written.returncode == 0, written.stderr
    files = sorted(folder.iterdir())
    assert [one.name for one in files] == ["rollcall.d.ts", "rollcall.js"]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "new"], "it needs no database and leaves no secret behind"
    assert written.stderr.count("is written") == len(files)
    if TSC is None:
        pytest.skip("the client is written, and not compiled: tsc is not installed (Debian: node-typescript)")
    program = Path(shutil.copy(FLOW, folder))
    # What of Node the flow uses: its types are a package, and this is all of it.
    (folder / "node.d.ts").write_text(
        'declare module "node:readline" { export function createInterface(from: object): AsyncIterable<string>; }\n'
        'declare module "node:crypto" { export function randomUUID(): string; }\n'
        "declare const process: { argv: string[]; stdin: object; exit(status: number): never };\n",
        encoding="utf-8",
    )
    strict = ["--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "node"]
    command = [TSC, "--noEmit", *strict, "--lib", "es2022,dom,dom.iterable", "--allowJs", "--checkJs"]
    sources = [str(folder / "rollcall.d.ts"), str(folder / "node.d.ts"), str(program)]
    done = subprocess.run([*command, *sources], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout
