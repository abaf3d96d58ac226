"""Runs the kiosk or the server with a named failpoint: at its N-th hit this process kills itself with SIGKILL.

    ROLLCALL_FAILPOINT=kiosk.page.statement:3 python -m tests.support.faults.failing kiosk agent --data DIR

The shipped programs hold no failpoints, so none can be left on in production: this program wraps the few places
through which every commit and every frame goes, and then starts the shipped program.
"""

import contextlib
import json
import os
import runpy
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import Any

from sync.codec import decode_from_device, decode_from_server

VARIABLE = "ROLLCALL_FAILPOINT"
# What the one thread of the kiosk's store is busy with; everything else it does is "other".
WORKS = {
    "ReadProgress": "other",
    "StorePage": "page",
    "StoreSnapshotPart": "snapshot",
    "StoreOutcomes": "outcomes",
    "BeginIncarnation": "incarnation",
    "ReopenEntries": "reopening",
}


class Failpoint:
    """Counts the hits of one point and ends the process at the wanted one."""

    def __init__(self, text: str) -> None:
        self.name, _, number = text.partition(":")
        self._left = int(number or 1)

    def hit(self, name: str) -> None:
        if name != self.name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def plant_in_kiosk(point: Failpoint) -> None:
    """Points `kiosk.<work>.<moment>`: statement, before_commit, after_commit; and for what leaves the desk:

    `kiosk.send.<message>`, `kiosk.sent.<message>`, and `kiosk.told.<event>` after a line of the agent.
    """
    from kiosk.link import device_store, websocket
    from kiosk.services import recorder
    from kiosk.services.line_pipes import Output
    from kiosk.store.database import Database

    work = ["other"]
    _name_the_work(device_store, "perform_store", work, lambda effect: WORKS.get(type(effect).__name__, "other"))
    _name_the_work(recorder, "write_down", work, lambda _wishes: "record")
    transaction, execute, execute_many = Database.transaction, Database.execute, Database.execute_many

    @contextlib.contextmanager
    def failing_transaction(self: Database) -> Iterator[None]:
        with transaction(self):
            yield
            point.hit(f"kiosk.{work[0]}.before_commit")
        point.hit(f"kiosk.{work[0]}.after_commit")

    def failing_execute(self: Database, *arguments: Any) -> None:
        execute(self, *arguments)
        point.hit(f"kiosk.{work[0]}.statement")

    def failing_execute_many(self: Database, *arguments: Any) -> None:
        execute_many(self, *arguments)
        point.hit(f"kiosk.{work[0]}.statement")

    _replace(Database, "transaction", failing_transaction)
    _replace(Database, "execute", failing_execute)
    _replace(Database, "execute_many", failing_execute_many)
    _watch_lines(Output, point)
    _watch_frames(websocket.Socket, "send", "kiosk", (point, decode_from_device))


def plant_in_server(point: Failpoint) -> None:
    """Points `server.push.before_commit`, `server.push.after_commit`, `server.send.<message>` and `.sent.`."""
    from sqlalchemy.ext.asyncio import AsyncConnection
    from starlette.websockets import WebSocket

    from server.services.journal_intake import JournalIntake

    is_push: ContextVar[bool] = ContextVar("is_push", default=False)
    store, commit = JournalIntake._commit, AsyncConnection.commit

    async def failing_store(self: JournalIntake, *arguments: Any) -> object:
        token = is_push.set(True)
        try:
            return await store(self, *arguments)
        finally:
            is_push.reset(token)

    async def failing_commit(self: AsyncConnection) -> None:
        if is_push.get():
            point.hit("server.push.before_commit")
        await commit(self)
        if is_push.get():
            point.hit("server.push.after_commit")

    _replace(AsyncConnection, "commit", failing_commit)
    _replace(JournalIntake, "_commit", failing_store)
    _watch_frames(WebSocket, "send_bytes", "server", (point, decode_from_server))


def _watch_lines(owner: type, point: Failpoint) -> None:
    """`kiosk.told.<event>` when a line was handed to whoever reads."""
    write: Callable[[Any, bytes], Awaitable[None]] = owner.write  # type: ignore[attr-defined]

    async def failing_write(self: object, data: bytes) -> None:
        await write(self, data)
        point.hit(f"kiosk.told.{json.loads(data)['event']}")

    _replace(owner, "write", failing_write)


def _watch_frames(owner: type, method: str, program: str, watch: tuple[Failpoint, Callable[[bytes], object]]) -> None:
    """`<program>.send.<message>` before a frame is given to the socket, `<program>.sent.<message>` after."""
    send: Callable[[Any, bytes], Awaitable[None]] = getattr(owner, method)
    point, decode = watch

    async def failing_send(self: object, frame: bytes) -> None:
        message = type(decode(frame)).__name__
        point.hit(f"{program}.send.{message}")
        await send(self, frame)
        point.hit(f"{program}.sent.{message}")

    _replace(owner, method, failing_send)


def _name_the_work(module: object, function: str, work: list[str], name_of: Callable[[Any], str]) -> None:
    """While `function` of `module` runs, the work has the name that its first argument gives it."""
    real = getattr(module, function)

    def named(first: object, *arguments: object, **more: object) -> object:
        work[0] = name_of(first)
        try:
            return real(first, *arguments, **more)
        finally:
            work[0] = "other"

    _replace(module, function, named)


def _replace(owner: object, name: str, replacement: object) -> None:
    getattr(owner, name)  # fails loudly when the shipped code has moved on
    setattr(owner, name, replacement)


def main() -> None:
    program = sys.argv[1]
    point = Failpoint(os.environ[VARIABLE])
    {"kiosk": plant_in_kiosk, "server": plant_in_server}[program](point)
    sys.argv = sys.argv[1:]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
