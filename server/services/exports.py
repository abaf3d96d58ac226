"""What people ask of the data that is held of them: a copy, made by a job, taken once by whoever asked.

To take it one must be signed in as whoever asked and have its token: that came by mail, or is given for the password
again. An open session alone, or an open mailbox alone, gets nothing.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, NotFound
from server.core.mailed_tokens import MailedTokens, TokenKind
from server.core.sealed_parts import PartNotGood, SealedFiles
from server.models.exports import DataExport, ExportCause, ExportKind, ExportState
from server.models.rooms import Center
from server.repositories import accounts, exports
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.child_files import Part, find_child
from server.services.export_rights import is_entitled, subject_of
from server.services.password_again import PasswordAgain
from server.services.recoveries import LinkNotGood
from server.services.throttles import CHILD_EXPORTS, EXPORTS, Limit, Throttles

__all__ = ["DataExport", "ExportPage", "ExportState", "Exports", "Package"]

TAKEN_WITHIN: Final = timedelta(days=7)

_log = structlog.get_logger(__name__)


class ExportNotMade(Conflict):
    """The file is not there yet."""

    code = "export_not_made"
    title = "This export is not made yet: you get a mail when it is"


class ExportOver(Conflict):
    """The file is not there any more."""

    code = "export_over"
    title = "This export was taken, or its time is over: ask for another one"


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Exports of an account, the newest first; `after`: behind which there are more, None at the end."""

    items: Sequence[DataExport]
    after: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """What an export is taken with, and until when."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Package:
    """A file that is about to be taken; `salt` says which making of it."""

    export_id: str
    salt: bytes
    parts: int
    size_bytes: int
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ExportKeys:
    """How files are sealed, which tokens open them, and who makes them."""

    sealed: SealedFiles
    tokens: MailedTokens
    new_id: Callable[[], str]
    on_asked: Callable[[], None] = lambda: None


class Exports:
    """Takes requests, tells how far they are, and hands files over."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, keys: ExportKeys, again: PasswordAgain, throttles: Throttles
    ) -> None:
        """Write through `units`; `again` asks for the password once more."""
        self._units = units
        self._clock = clock
        self._keys = keys
        self._again = again
        self._throttles = throttles
        self._taking: set[asyncio.Task[None]] = set()

    async def ask_for_family(self, user: User) -> DataExport:
        """Ask for all that is held of an account and of the children whom it may see.

        Who asks again before it is made gets the same export.

        Raises:
            RateLimited: too many today.

        """
        return await self._ask(user, self._row(user, ExportKind.FAMILY), EXPORTS)

    async def ask_for_child(self, center: Center, user: User, child_id: str) -> DataExport:
        """Ask for the file of a child, as those who run the centre see it; as `ask_for_family`.

        Raises:
            NotFound: the centre has no such child.
            RateLimited: too many today.

        """
        async with self._units.begin() as unit:
            await find_child(unit, center.id, child_id)
        row = self._row(user, ExportKind.CHILD)
        row.center_id, row.child_id, row.child_ids = center.id, child_id, [child_id]
        return await self._ask(user, row, CHILD_EXPORTS)

    async def page(self, user: User, *, after: str | None, limit: int) -> ExportPage:
        """Give a page of what an account asked for."""
        async with self._units.begin() as unit:
            rows = await exports.page(unit.session, user.id, after=after, limit=limit + 1)
        return ExportPage(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)

    async def one(self, user: User, export_id: str) -> DataExport:
        """Give an export of an account's. Raises NotFound."""
        async with self._units.begin() as unit:
            return await _find(unit, user, export_id)

    async def withdraw(self, user: User, export_id: str) -> None:
        """Take back a request, and the file with it; a second time, or at its end, nothing changes. Raises NotFound."""
        async with self._units.begin(actor=user.id, origin="my") as unit:
            await _find(unit, user, export_id)
            export = await exports.lock(unit.session, export_id)
            if export is not None and export.ended_at is None:
                await end(unit, export, ExportState.ENDED, self._clock.now(), ExportCause.WITHDRAWN)

    async def token(self, user: User, export_id: str, password: str) -> Token:
        """Give what an export is taken with to whoever asked, for their password again.

        Raises:
            NotFound: they asked for no such export, or the right to what is in it is gone.
            ExportNotMade, ExportOver: it cannot be taken.
            WrongPassword, RateLimited: as `PasswordAgain.require`.

        """
        async with self._units.begin() as unit:
            await _made(unit, user, export_id, self._clock.now())
        await self._again.require(user, password)
        async with self._units.begin() as unit:
            export = await _made(unit, user, export_id, self._clock.now())
        assert export.expires_at is not None, "a file that was made can be taken for a while"
        return Token(self._keys.tokens.token(TokenKind.EXPORT, export.id), export.expires_at)

    async def open(self, user: User, export_id: str, token: str) -> Package:
        """See that somebody may take a file now; for each child in it, a reading of its file is noted.

        Raises:
            NotFound, ExportNotMade, ExportOver: as `token`.
            LinkNotGood: it is no token of this export.

        """
        async with self._units.begin(origin="my") as unit:
            export = await _made(unit, user, export_id, self._clock.now())
            if self._keys.tokens.row_of(TokenKind.EXPORT, token) != export.id:
                raise LinkNotGood
            subject = await subject_of(unit, user, export)
            for child in subject.children if subject is not None else ():
                if child.child_id in export.child_ids:
                    unit.note_read(child.center_id, user.id, child.child_id, Part.EXPORT.value)
        assert export.salt is not None, "a file that was made has a key"
        assert export.made_at is not None, "and was made at some time"
        _log.info("export_opened", export=export.id, user=user.id)
        return Package(export.id, export.salt, export.parts, export.size_bytes, export.made_at)

    async def chunks(self, user: User, package: Package) -> AsyncGenerator[bytes, None]:
        """Give a file part by part; when the last one was handed on, the export is taken and the file gone.

        The right is looked at before each part.

        Raises:
            NotFound, ExportOver: it ended meanwhile; what was given so far is no whole file.

        """
        file = self._keys.sealed.of(package.salt)
        for number in range(package.parts):
            async with self._units.begin() as unit:
                export = await _made(unit, user, package.export_id, self._clock.now())
                sealed = await exports.part(unit.session, package.export_id, number)
            if sealed is None or export.salt != package.salt:
                raise ExportOver
            try:
                yield file.open(number, sealed)
            except PartNotGood:
                _log.error("export_does_not_open", export=package.export_id, part=number)
                raise ExportOver from None
        # Whoever has all that `Content-Length` says hangs up at once, and that cancels the answer: not this.
        taking = asyncio.create_task(self._taken(user, package))
        self._taking.add(taking)
        taking.add_done_callback(self._taking.discard)
        await asyncio.shield(taking)

    async def _taken(self, user: User, package: Package) -> None:
        async with self._units.begin(actor=user.id, origin="my") as unit:
            export = await exports.lock(unit.session, package.export_id)
            if export is not None and export.state == ExportState.MADE and export.salt == package.salt:
                await end(unit, export, ExportState.TAKEN, self._clock.now())
                _log.info("export_taken", export=package.export_id, user=user.id)

    def _row(self, user: User, kind: ExportKind) -> DataExport:
        now = self._clock.now()
        return DataExport(
            id=self._keys.new_id(), organisation_id=user.organisation_id, user_id=user.id, kind=kind.value,
            not_before=now, asked_at=now,
        )  # fmt: skip

    async def _ask(self, user: User, row: DataExport, limit: Limit) -> DataExport:
        known = await self._queued(row)
        if known is not None:
            return known
        await self._throttles.take((limit, user.id))
        async with self._units.begin(actor=user.id, origin="my") as unit:
            # Held, so that of two at a time the later one finds the first.
            await accounts.lock(unit.session, user.id)
            known = await _queued(unit, row)
            if known is not None:
                return known
            await exports.add(unit.session, row)
            unit.after_commit(self._keys.on_asked)
        _log.info("export_asked", export=row.id, kind=row.kind, user=user.id)
        return row

    async def _queued(self, row: DataExport) -> DataExport | None:
        async with self._units.begin() as unit:
            return await _queued(unit, row)


async def end(
    unit: UnitOfWork, export: DataExport, state: ExportState, at: datetime, cause: ExportCause = ExportCause.NONE
) -> None:
    """End an export that is held: the file goes, and what was its key."""
    export.state, export.cause, export.ended_at, export.salt = state.value, cause.value, at, None
    await exports.remove_parts(unit.session, export.id)
    await exports.add(unit.session, export)


async def _queued(unit: UnitOfWork, row: DataExport) -> DataExport | None:
    found = await exports.of_subject(unit.session, row, ExportState.QUEUED)
    return found[0] if found else None


async def _find(unit: UnitOfWork, user: User, export_id: str) -> DataExport:
    found = await exports.find(unit.session, user.id, export_id)
    if found is None:
        raise NotFound("You asked for no such export")
    return found


async def _made(unit: UnitOfWork, user: User, export_id: str, now: datetime) -> DataExport:
    """Give an export that can be taken now by whoever asked for it."""
    export = await _find(unit, user, export_id)
    if export.state == ExportState.QUEUED:
        raise ExportNotMade
    if export.state != ExportState.MADE or export.expires_at is None or export.expires_at <= now:
        raise ExportOver
    if not await is_entitled(unit, export):
        raise NotFound("You may not see any more what is in this export")
    return export
