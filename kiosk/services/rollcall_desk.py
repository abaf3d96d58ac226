"""Roll-calls at this desk: begun, marked, added to and ended; every word is durable before the screen shows it."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk.log import Log
from kiosk.services.children import all_children
from kiosk.services.desk_file import SheetSettings
from kiosk.services.errors import DeskError
from kiosk.services.opening import OpenFolder
from kiosk.services.people import Person, in_order, name_of, person_of
from kiosk.services.printing import PrintFailed, hand_over
from kiosk.services.recorder import DeskParts
from kiosk.services.recording import Wish
from kiosk.services.rollcall_sheet import Place, sheet
from kiosk.services.rollcalls import Link, RollView, roll_view
from kiosk.services.sheets import SheetDrawer
from kiosk.services.typed_words import typed_name
from sync.attendance import EventKind
from sync.presence import Group
from sync.resemblance import folded_words
from sync.rollcall import RollMark

FOUND_NOTE: Final = "found at a roll-call"
CANDIDATES_MAX: Final = 8

log = Log()


@dataclass(frozen=True)
class Kept:
    """Where a sheet was kept; `trouble` says why it was not, or not printed, and the roll-call goes on."""

    path: Path | None = None
    trouble: str = ""
    is_printed: bool = False


class RollCalls:
    """Works on a locked desk too: whoever counts people in a yard needs their names, whatever the lease says."""

    def __init__(self, parts: DeskParts, opened: Callable[[], OpenFolder], new_id: Callable[[], str]) -> None:
        self._following = parts.following
        self._refusals = parts.refusals
        self._recorder = parts.recorder
        self._opened = opened
        self._new_id = new_id
        self.settings = SheetSettings()

    async def view(self) -> RollView:
        """The list as this desk knows it; raises DeskError revoked."""
        return self._view()

    def place(self) -> Place:
        """Whose list it is, for the words on it."""
        status = self._following.status()
        return Place(status.center_name, status.device_name, status.time_zone)

    def now_ms(self) -> int:
        """The time by the server's clock as far as this desk can tell, UTC milliseconds."""
        return self._following.now_ms()

    async def start(self) -> Kept:
        """Begin a roll-call, or join the one that goes on; a sheet is kept of the list as it is then.

        Raises:
            DeskError: revoked, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            if self._view().goes_on:
                return Kept()
            await self._recorder.record(Wish(kind=EventKind.ROLLCALL_START, rollcall_id=self._new_id()))
        return await self.print_sheet("start")

    async def mark(self, subject_id: str, mark: RollMark) -> Kept:
        """Say of somebody that they are safe, missing or elsewhere; begins a roll-call when there is none.

        After its end a mark still counts: whoever is found late is found.

        Raises:
            DeskError: revoked, bad_input, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            rollcall_id, begun = self._rollcall_to_write()
            await self._recorder.record(*begun, self._mark(rollcall_id, subject_id, mark))
        return await self.print_sheet("start") if begun else Kept()

    async def add(self, name: str) -> str:
        """Take in a grown-up whom no list has, as a visitor who is here, and mark them safe; gives their id.

        Raises:
            DeskError: revoked, bad_input, storage_full, storage_failed.

        """
        said, person_id = typed_name(name), self._new_id()
        room = Wish(kind=EventKind.VISITOR_IN, person_id=person_id, person_name=said, note=FOUND_NOTE)
        async with self._recorder.one_at_a_time:
            rollcall_id, begun = self._rollcall_to_write()
            safe = Wish(
                kind=EventKind.ROLLCALL_MARK, rollcall_id=rollcall_id, person_id=person_id, mark=RollMark.PRESENT
            )
            await self._recorder.record(*begun, room, safe)
        if begun:
            await self.print_sheet("start")
        return person_id

    async def end(self) -> Kept:
        """End what goes on, also what another desk began beside it, and keep a sheet of it.

        Raises:
            DeskError: revoked, bad_input when none goes on, storage_full, storage_failed.

        """
        async with self._recorder.one_at_a_time:
            open_ids = self._view().open_ids
            if not open_ids:
                raise DeskError("bad_input", "No roll call goes on; nothing was ended.")
            await self._recorder.record(*(Wish(kind=EventKind.ROLLCALL_END, rollcall_id=one) for one in open_ids))
        return await self.print_sheet("end")

    async def candidates(self, text: str) -> tuple[Person, ...]:
        """Children and staff who are not on the list and whose names hold every word; none on a locked desk."""
        words = folded_words(text)
        if not words or self._following.is_locked:
            return ()
        knowledge = self._following.knowledge
        listed = {line.person.subject_id for line in self._view().lines}
        ids = [one for one in (*all_children(knowledge), *knowledge.staff) if one not in listed]
        fitting = [one for one in ids if _fits(words, name_of(knowledge, one))]
        return in_order(knowledge, (person_of(knowledge, one) for one in fitting))[:CANDIDATES_MAX]

    async def print_now(self) -> Kept:
        """Keep the list as it is now, and give it to the printer of this desk where there is one."""
        kept = await self.print_sheet()
        if not self.settings.print_command:
            return kept
        text = sheet(self._view(), self.place(), self.now_ms())
        try:
            await hand_over(self.settings.print_command, text.encode(), self.settings.time_limit_s)
        except PrintFailed as error:
            log.warning("sheet_not_printed", reason=str(error))
            return Kept(kept.path, "The printer did not take the sheet; another desk may have one that does.")
        return Kept(kept.path, kept.trouble, is_printed=True)

    async def print_sheet(self, stage: str = "now") -> Kept:
        """Keep the list as it is now, sealed, in this desk's folder; what goes wrong with that is only said."""
        now_ms = self.now_ms()
        text = sheet(self._view(), self.place(), now_ms)
        try:
            path = await asyncio.to_thread(self._drawer().keep, text, now_ms=now_ms, stage=stage)
        except OSError as error:
            log.warning("sheet_not_kept", reason=type(error).__name__)
            return Kept(trouble="The sheet could not be written to the disk; the roll call itself is safe.")
        return Kept(path)

    def _drawer(self) -> SheetDrawer:
        opened = self._opened()
        return SheetDrawer(opened.folder.rollcalls, opened.keys.replica_key, secrets.token_bytes)

    def _view(self) -> RollView:
        self._refusals.require_alive()
        status = self._following.status()
        link = Link(status.device_name, status.data_as_of_ms, status.is_current)
        return roll_view(self._following.knowledge, self._following.now_ms(), link)

    def _rollcall_to_write(self) -> tuple[str, tuple[Wish, ...]]:
        """The roll-call that a word belongs to, and its beginning when that has to be written first."""
        view = self._view()
        if view.ids:
            return (*view.open_ids, view.ids[-1])[0], ()
        rollcall_id = self._new_id()
        return rollcall_id, (Wish(kind=EventKind.ROLLCALL_START, rollcall_id=rollcall_id),)

    def _mark(self, rollcall_id: str, subject_id: str, mark: RollMark) -> Wish:
        is_child = person_of(self._following.knowledge, subject_id).group is Group.CHILD
        return Wish(
            kind=EventKind.ROLLCALL_MARK,
            rollcall_id=rollcall_id,
            mark=mark,
            child_id=subject_id if is_child else "",
            person_id="" if is_child else subject_id,
        )


def _fits(words: tuple[str, ...], name: str) -> bool:
    names = folded_words(name)
    return all(any(part.startswith(word) for part in names) for word in words)
