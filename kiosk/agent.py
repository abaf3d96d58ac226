"""The kiosk without a screen: JSON lines in, JSON lines out, for door readers, scripts and tests.

docs/agent.md is its manual. An outcome is told at least once: what was settled and not told before a kill is
told after the next start.
"""

import asyncio
import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
import structlog

from kiosk.messages import ChildChanged, DeskMessage, DeskStatus, EntrySettled, LinkChanged, Resync
from kiosk.services.desk import Desk, DeskError, Recorded
from kiosk.services.moments import rfc3339
from kiosk.services.output_lines import change_line, confirmed_line, recorded_line, status_line
from kiosk.services.subscription import Subscription

LINE_BYTES_MAX: Final = 64 * 1024
# Lines read and not yet answered; beyond it the reader waits, and with it whoever writes to us.
INBOX_LINES_MAX: Final = 100
FINAL_SYNC_S: Final = 2.0
# Whoever reads our output may have stopped doing so without closing it.
FINAL_LINE_S: Final = 1.0
_CHUNK_BYTES: Final = 64 * 1024

log = structlog.get_logger()


class Command(msgspec.Struct, frozen=True):
    """One line of input; which fields count depends on `do`."""

    do: str
    id: str | int | None = None
    child: str = ""
    adult: str = ""
    at: str = ""
    staff: str = ""
    note: str = ""


class OutputClosed(Exception):
    """Nobody reads our output any more."""


class Agent:
    """Answers commands and tells what happens until the input ends, `quit`, a signal, or a closed output."""

    def __init__(self, desk: Desk, *, input_fd: int, output_fd: int) -> None:
        self._desk = desk
        self._input_fd = input_fd
        self._output = _Output(output_fd)
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(INBOX_LINES_MAX)
        self._stop = asyncio.Event()
        self._telling = asyncio.Lock()
        self._told_seq = 0
        self._told_status: tuple[object, ...] = ()

    async def run(self) -> None:
        """Work until the end, with a bounded last try to send what waits."""
        self._stop_on_signals()
        messages = self._desk.subscribe()
        link = asyncio.create_task(self._desk.run_link())
        teller = asyncio.create_task(self._tell_all(messages))
        try:
            await self._emit({"event": "ready", **await self._status()})
            await self._tell_settled()
            self._start_reading()
            await self._until_stopped(teller)
            await self._last_sync()
            async with asyncio.timeout(FINAL_LINE_S):
                await self._emit({"event": "bye", **await self._status()})
        except (OutputClosed, TimeoutError):
            log.info("output_closed")
        finally:
            messages.close()
            for task in (link, teller):
                task.cancel()
            await asyncio.gather(link, teller, return_exceptions=True)

    async def _until_stopped(self, teller: "asyncio.Task[None]") -> None:
        commands = asyncio.create_task(self._answer_all())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({commands, stopped, teller}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (commands, stopped):
                task.cancel()
            results = await asyncio.gather(commands, stopped, return_exceptions=True)
        if teller.done():
            teller.result()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def _stop_on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError, RuntimeError):
                loop.add_signal_handler(number, self._stop.set)

    # -- input

    def _start_reading(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="input", daemon=True).start()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass on whole lines; of a line that is too long only enough to refuse it."""

        def put(line: bytes | None) -> None:
            self._room.acquire()
            loop.call_soon_threadsafe(self._lines.put_nowait, line)

        try:
            _read_lines(self._input_fd, put)
            put(None)
        except RuntimeError:
            return  # the loop is closed: nobody listens any more

    async def _answer_all(self) -> None:
        while True:
            line = await self._lines.get()
            self._room.release()
            if line is None:
                return
            if line.strip() and await self._answer(line):
                return

    async def _answer(self, line: bytes) -> bool:
        """Answer one line; says whether it was the last."""
        try:
            command = _decode(line)
        except DeskError as error:
            await self._emit_error(error, None, "")
            return False
        if command.do == "quit":
            return True
        try:
            await self._emit(_with_id(command, await self._carry_out(command)))
        except DeskError as error:
            await self._emit_error(error, command, command.child)
        return False

    async def _carry_out(self, command: Command) -> dict[str, Any]:
        match command.do:
            case "check_in":
                child_id = await self._child(command)
                at_ms = _moment(command.at)
                recorded = await self._desk.check_in(
                    child_id, occurred_at_ms=at_ms, staff_id=command.staff, note=command.note
                )
                return recorded_line(recorded)
            case "check_out":
                return recorded_line(await self._check_out(command))
            case "status":
                return {"event": "status", **await self._status()}
            case "roster":
                return {"event": "roster", "children": await self._roster()}
            case _:
                message = "Unknown command; there are check_in, check_out, status, roster and quit."
                raise DeskError("unknown_command", message)

    async def _check_out(self, command: Command) -> Recorded:
        child_id = await self._child(command)
        at_ms = _moment(command.at)
        adult_id = ""
        for one in await self._desk.collectors(child_id):
            if command.adult and command.adult in (one.adult_id, one.name):
                adult_id = one.adult_id
        if not adult_id and _looks_like_id(command.adult):
            raise DeskError("unknown_adult", "This adult is not on the child's pick-up list; give a name instead.")
        return await self._desk.check_out(
            child_id,
            adult_id=adult_id,
            adult_name="" if adult_id else command.adult,
            occurred_at_ms=at_ms,
            staff_id=command.staff,
        )

    async def _child(self, command: Command) -> str:
        if not command.child.strip():
            raise DeskError("bad_input", 'Say which child: "child" is an id or an exact name.')
        if self._desk.knows(command.child):
            return command.child
        return await self._desk.find_by_name(command.child)

    # -- output

    async def _tell_all(self, messages: Subscription) -> None:
        async for message in messages:
            await self._tell(message)

    async def _tell(self, message: DeskMessage) -> None:
        match message:
            case EntrySettled():
                await self._tell_settled()
            case Resync():
                await self._emit({"event": "resync"})
                await self._tell_settled()
            case ChildChanged(own=False):
                await self._emit(change_line(message, self._desk.name_of(message.child_id)))
            case LinkChanged():
                await self._tell_status(message.status)
            case _:
                pass

    async def _tell_status(self, status: DeskStatus) -> None:
        """Tell of a changed link, queue or number that needs review; a version alone is no news."""
        news = (status.link, status.detail, status.waiting, status.needs_review)
        if news != self._told_status:
            self._told_status = news
            await self._emit({"event": "status", **status_line(status)})

    async def _tell_settled(self) -> None:
        """Tell every outcome that was not told yet, and remember that it was."""
        async with self._telling:
            while settled := await self._untold():
                for one in settled:
                    await self._emit(confirmed_line(one, self._desk.name_of(one.child_id)))
                self._told_seq = settled[-1].seq
                await self._mark_told()

    async def _untold(self) -> tuple[EntrySettled, ...]:
        try:
            return await self._desk.settled_untold(self._told_seq)
        except DeskError as error:
            log.warning("outcomes_not_read", code=error.code)
            return ()

    async def _mark_told(self) -> None:
        """Remember it on the disk too; if that fails, they are told once more after the next start."""
        try:
            await self._desk.mark_told(self._told_seq)
        except DeskError as error:
            log.warning("told_not_kept", code=error.code)

    async def _emit_error(self, error: DeskError, command: Command | None, child: str) -> None:
        line: dict[str, Any] = {"event": "error", "code": error.code, "message": error.message}
        if command is not None:
            line["do"] = command.do
        if child:
            line["child"] = child
        await self._emit(line if command is None else _with_id(command, line))

    async def _emit(self, line: dict[str, Any]) -> None:
        data = msgspec.json.encode(line) + b"\n"
        await self._output.write(data)

    async def _status(self) -> dict[str, Any]:
        return {**status_line(await self._desk.status()), "digests": await self._desk.digests()}

    async def _roster(self) -> list[dict[str, Any]]:
        return [
            {
                "child_id": line.child_id,
                "name": line.display_name,
                "room": line.room_name,
                "status": line.status,
                "since": rfc3339(line.since_ms),
                "mark": line.mark,
                "event_id": line.last_event_id,
            }
            for line in await self._desk.roster()
        ]

    async def _last_sync(self) -> None:
        """Give the link a moment to send what waits."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FINAL_SYNC_S):
                await self._until_sent()

    async def _until_sent(self) -> None:
        messages = self._desk.subscribe()
        self._desk.hurry()
        try:
            if (await self._desk.status()).waiting:
                async for _ in messages:
                    if not (await self._desk.status()).waiting:
                        break
            await self._tell_settled()
        finally:
            messages.close()


def _read_lines(descriptor: int, put: Callable[[bytes | None], None]) -> None:
    pending = b""
    while chunk := os.read(descriptor, _CHUNK_BYTES):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            put(line)
        pending = pending[: LINE_BYTES_MAX + 1]
    if pending:
        put(pending)


class _Output:
    """Writes lines in order on a thread of its own, which a reader that stopped reading may block for ever."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def write(self, data: bytes) -> None:
        """Return when the line was handed to the system; raises OutputClosed."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_for_ever, name="output", daemon=True)
            self._thread.start()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.put((data, written))
        await written

    def _write_for_ever(self) -> None:
        while True:
            data, written = self._lines.get()
            error: OutputClosed | None = None
            try:
                _write_all(self._descriptor, data)
            except OutputClosed as closed:
                error = closed
            with contextlib.suppress(RuntimeError):
                written.get_loop().call_soon_threadsafe(_settle, written, error)


def _settle(written: "asyncio.Future[None]", error: OutputClosed | None) -> None:
    if written.done():
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise OutputClosed from error


def _decode(line: bytes) -> Command:
    if len(line) > LINE_BYTES_MAX:
        raise DeskError("line_too_long", f"A line has at most {LINE_BYTES_MAX} bytes.")
    try:
        return msgspec.json.decode(line, type=Command)
    except msgspec.ValidationError as error:
        raise DeskError("bad_input", f"A field is not what it must be: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        message = 'This line is not JSON; a command looks like {"do":"check_in","child":"Ada Example"}.'
        raise DeskError("not_json", message) from error


def _looks_like_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and " " not in text  # noqa: PLR2004 - the form of a UUID


def _moment_of(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment


def _moment(text: str) -> int | None:
    """UTC milliseconds of an RFC 3339 time with an offset; None for an empty one."""
    if not text:
        return None
    try:
        return round(_moment_of(text).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        message = '"at" is a time with its offset, like 2026-09-21T07:41:00+02:00.'
        raise DeskError("bad_input", message) from error


def _with_id(command: Command, line: dict[str, Any]) -> dict[str, Any]:
    return line if command.id is None else {**line, "id": command.id}
