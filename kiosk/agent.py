"""The kiosk without a screen: JSON lines in, JSON lines out, for door readers, scripts and tests.

docs/agent.md is its manual. An outcome is told at least once: what was settled and not told before a kill is
told after the next start. A desk that is revoked tells its last outcomes, says so, and ends.
"""

import asyncio
import contextlib
import signal
import threading
from datetime import datetime
from typing import Any, Final

import msgspec

from kiosk.log import Log
from kiosk.messages import (
    ChildChanged,
    DeskMessage,
    DeskStatus,
    EntrySettled,
    LinkChanged,
    Quarantined,
    Resync,
    Revoked,
)
from kiosk.services.desk import Desk, DeskError, Recorded
from kiosk.services.line_pipes import LINE_BYTES_MAX, Output, OutputClosed, read_lines
from kiosk.services.moments import rfc3339
from kiosk.services.newcomers import Newcomer
from kiosk.services.output_lines import (
    change_line,
    confirmed_line,
    quarantined_line,
    recorded_line,
    status_line,
)
from kiosk.services.subscription import Subscription

# Lines read and not yet answered; beyond it the reader waits, and with it whoever writes to us.
INBOX_LINES_MAX: Final = 100
FINAL_SYNC_S: Final = 2.0
# Whoever reads our output may have stopped doing so without closing it.
FINAL_LINE_S: Final = 1.0

log = Log()


class Command(msgspec.Struct, frozen=True):
    """One line of input; which fields count depends on `do`."""

    do: str
    id: str | int | None = None
    child: str = ""
    adult: str = ""
    at: str = ""
    staff: str = ""
    note: str = ""
    provisional_name: str = ""
    room: str = ""
    sure: bool = False


class Agent:
    """Answers commands and tells what happens until the input ends, `quit`, a signal, or a closed output."""

    def __init__(self, desk: Desk, *, input_fd: int, output_fd: int) -> None:
        self._desk = desk
        self._input_fd = input_fd
        self._output = Output(output_fd)
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(INBOX_LINES_MAX)
        self._stop = asyncio.Event()
        self._telling = asyncio.Lock()
        self._told_answer = 0
        self._told_status: tuple[object, ...] = ()

    async def run(self) -> None:
        """Work until the end, with a bounded last try to send what waits."""
        self._stop_on_signals()
        messages = self._desk.subscribe()
        link = asyncio.create_task(self._desk.run_link())
        teller = asyncio.create_task(self._tell_all(messages))
        try:
            await self._emit({"event": "ready", **await self._status()})
            if self._desk.quarantined is not None:
                await self._emit(quarantined_line(self._desk.quarantined))
            await self._tell_settled()
            self._start_reading()
            await self._until_stopped(teller)
            if not self._desk.last_words:
                await self._say_bye()
        except (OutputClosed, TimeoutError):
            log.info("output_closed")
        finally:
            messages.close()
            for task in (link, teller):
                task.cancel()
            await asyncio.gather(link, teller, return_exceptions=True)

    async def _say_bye(self) -> None:
        await self._last_sync()
        if self._desk.last_words:
            return  # revoked with its very last words
        async with asyncio.timeout(FINAL_LINE_S):
            await self._emit({"event": "bye", **await self._status()})

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
            read_lines(self._input_fd, put)
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
            case "check_in" if command.provisional_name:
                return recorded_line(await self._take_in(command))
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

    async def _take_in(self, command: Command) -> Recorded:
        """A child who is not on file; `sure` says that it is none of the known ones of such a name."""
        if command.child:
            raise DeskError("bad_input", 'Give "child" for a child that is known, or "provisional_name" for another.')
        counter = self._desk.counter
        is_locked = (await self._desk.status()).locked
        known = counter.resembling(command.provisional_name) if command.sure and not is_locked else ()
        newcomer = Newcomer(
            name=command.provisional_name,
            room_id=await self._room_id(command.room),
            adult_name=command.adult,
            note=command.note,
            none_of=frozenset(line.child_id for line in known),
            occurred_at_ms=_moment(command.at),
            staff_id=command.staff,
        )
        return await counter.take_in(newcomer)

    async def _room_id(self, said: str) -> str:
        """The id of a room by its id or its exact name; an id that nobody knows is refused by the desk."""
        if not said or _looks_like_id(said):
            return said
        ids = [room_id for room_id, name in await self._desk.building.visits.rooms() if name == said]
        if len(ids) != 1:
            raise DeskError("unknown_room", "No room, or more than one, has exactly this name; use the room's id.")
        return ids[0]

    async def _check_out(self, command: Command) -> Recorded:
        child_id = await self._child(command)
        at_ms = _moment(command.at)
        adult_id = ""
        if _looks_like_id(command.adult):
            adult_id = command.adult
        elif command.adult and not (await self._desk.status()).locked:
            for one in await self._desk.collectors(child_id):
                adult_id = one.adult_id if command.adult == one.name else adult_id
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
            case Quarantined():
                await self._emit(quarantined_line(message))
            case Revoked(sentence):
                await self._tell_settled()
                await self._emit({"event": "revoked", "message": sentence})
                self._stop.set()
            case LinkChanged():
                await self._tell_status(message.status)
            case _:
                pass

    async def _tell_status(self, status: DeskStatus) -> None:
        """Tell of a changed link, queue, lock or number that needs review; a version alone is no news."""
        if status.revoked:
            return
        queue = (status.waiting, status.needs_review)
        news = (status.link, status.detail, *queue, status.locked, status.lease_ends_soon)
        if news != self._told_status:
            self._told_status = news
            await self._emit({"event": "status", **status_line(status)})

    async def _tell_settled(self) -> None:
        """Tell every outcome that was not told yet, and remember that it was."""
        async with self._telling:
            while settled := await self._untold():
                for one in settled:
                    await self._emit(confirmed_line(one, self._desk.name_of(one.child_id)))
                self._told_answer = settled[-1].answer
                await self._mark_told()

    async def _untold(self) -> tuple[EntrySettled, ...]:
        try:
            return await self._desk.settled_untold(self._told_answer)
        except DeskError as error:
            log.warning("outcomes_not_read", code=error.code)
            return ()

    async def _mark_told(self) -> None:
        """Remember it on the disk too; if that fails, they are told once more after the next start."""
        try:
            await self._desk.mark_told(self._told_answer)
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
                "absence": line.absence or None,
                "on_file": line.is_on_file,
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
