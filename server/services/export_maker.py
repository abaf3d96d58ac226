"""The job that makes exports, ends those whose time or right is over, and forgets old requests.

A file is written part by part, each sealed and in a transaction of its own: what is in memory is a year of a child at
most. Who dies half-way leaves a request that is made anew, under another key.
"""

import asyncio
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from server.core.asking import Asking, asks, job_asks
from server.core.clock import Clock
from server.core.errors import Unavailable
from server.core.ids import Luck
from server.core.sealed_parts import SALT_BYTES, SealedFile, SealedFiles
from server.core.zip_parts import ZipParts
from server.models.exports import PART_BYTES, DataExport, DataExportPart, ExportCause, ExportState
from server.repositories import exports
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import Centers
from server.services.account_mails import export_made_mail
from server.services.export_content import ExportContent, ExportedFile, Subject
from server.services.export_rights import asker_of, ids_of, is_entitled, subject_of
from server.services.exports import TAKEN_WITHIN, end
from server.services.job_list import MAKE_EXPORTS
from server.services.mail import Outbox

EXPORTS_A_RUN: Final = 20
SWEPT_AT_ONCE: Final = 100
# Of 256 KiB each: half a gigabyte. A hundred children with photos and twenty years of stays are less.
PARTS_MAX: Final = 2_048
ATTEMPTS_MAX: Final = 3
AGAIN_AFTER: Final = timedelta(minutes=10)
# A request names nobody; it is kept as long as a mail about it.
REQUESTS_KEPT: Final = timedelta(days=90)

_log = structlog.get_logger(__name__)


class Overtaken(Exception):
    """The request ended while its file was made, or another run makes it."""


class TooLarge(Exception):
    """The file would have more than `PARTS_MAX` parts."""


@dataclass(frozen=True, slots=True)
class _Making:
    """One making of a file."""

    export: DataExport
    subject: Subject
    salt: bytes
    file: SealedFile


@dataclass(slots=True)
class _Written:
    """How much of a file was stored."""

    parts: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MakerParts:
    """How files are sealed, with which luck, and how whoever asked hears of it."""

    sealed: SealedFiles
    luck: Luck
    outbox: Outbox
    base_url: str


class ExportMaker:
    """Makes exports. `run` is a job, and may be run by hand."""

    def __init__(self, units: UnitsOfWork, clock: Clock, content: ExportContent, parts: MakerParts) -> None:
        """Read with `content`; mails go through the outbox of `parts`."""
        self._units = units
        self._clock = clock
        self._content = content
        self._parts = parts
        self._centers = Centers(units)

    async def run(self) -> int:
        """End what is over, make what is asked for, and give how many files were made.

        Raises:
            DatabaseUnavailable: what was not made is made by the next run.

        """
        await self._sweep()
        async with self._units.begin() as unit:
            await exports.forget(unit.session, before=self._clock.now() - REQUESTS_KEPT)
            wanted = await exports.due(unit.session, self._clock.now(), limit=EXPORTS_A_RUN)
        return sum([await self._make(export_id) for export_id in wanted])

    async def _sweep(self) -> None:
        """End files whose time is over, and those that whoever asked may not see any more."""
        after = _FIRST
        while True:
            async with self._units.begin() as unit:
                found = await exports.made(unit.session, after=after, limit=SWEPT_AT_ONCE)
            for export in found:
                await self._end_if_over(export.id)
            if len(found) < SWEPT_AT_ONCE:
                return
            after = found[-1].id

    async def _end_if_over(self, export_id: str) -> None:
        now = self._clock.now()
        async with self._units.begin(origin="job") as unit:
            export = await exports.lock(unit.session, export_id)
            if export is None or export.state != ExportState.MADE or export.expires_at is None:
                return
            if export.expires_at <= now:
                await end(unit, export, ExportState.EXPIRED, now)
            elif not await is_entitled(unit, export):
                await end(unit, export, ExportState.ENDED, now, ExportCause.RIGHTS)
            if export.ended_at is not None:
                _log.info("export_ended", export=export.id, state=export.state, cause=export.cause)

    async def _make(self, export_id: str) -> int:
        making = await self._begin(export_id)
        if making is None:
            return 0
        try:
            # Read within the reach of whoever asked: a query that forgets its filter finds nothing of others.
            reach = await self._centers.reach_of(making.subject.user)
            with asks(Asking(reach, route=f"job {MAKE_EXPORTS}")):
                written = await self._write(making)
            return await self._finish(making, written)
        except Overtaken:
            _log.info("export_overtaken", export=export_id)
        except TooLarge:
            await self._give_up(making, ExportCause.TOO_LARGE)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in one file must not keep the others from being made
            _log.error("export_failed", export=export_id, attempts=making.export.attempts, exc_info=error)
            if making.export.attempts >= ATTEMPTS_MAX:
                await self._give_up(making, ExportCause.FAILED)
        return 0

    async def _begin(self, export_id: str) -> _Making | None:
        """Take a request: what an earlier making left is gone, and this one has a key of its own."""
        now = self._clock.now()
        async with self._units.begin(origin="job") as unit:
            export = await exports.lock(unit.session, export_id)
            if export is None or export.state != ExportState.QUEUED or export.not_before > now:
                return None
            user = await asker_of(unit, export)
            subject = None if user is None else await subject_of(unit, user, export)
            if subject is None:
                await end(unit, export, ExportState.ENDED, now, ExportCause.RIGHTS)
                return None
            if export.attempts >= ATTEMPTS_MAX:
                await end(unit, export, ExportState.ENDED, now, ExportCause.FAILED)
                return None
            await exports.remove_parts(unit.session, export.id)
            export.attempts += 1
            export.not_before = now + AGAIN_AFTER
            await exports.add(unit.session, export)
        salt = self._parts.luck(SALT_BYTES)
        return _Making(export, subject, salt, self._parts.sealed.of(salt))

    async def _write(self, making: _Making) -> _Written:
        archive = ZipParts(self._clock.now(), part_bytes=PART_BYTES)
        written = _Written()
        async for file in self._content.files(making.subject):
            # In a thread: to pack a year takes a while.
            for part in await asyncio.to_thread(_add, archive, file):
                await self._store(making, written, part)
        for part in archive.end():
            await self._store(making, written, part)
        return written

    async def _store(self, making: _Making, written: _Written, part: bytes) -> None:
        if written.parts >= PARTS_MAX:
            raise TooLarge
        export = making.export
        row = DataExportPart(
            export_id=export.id, number=written.parts, organisation_id=export.organisation_id,
            body=making.file.seal(written.parts, part),
        )  # fmt: skip
        async with self._units.begin(origin="job") as unit:
            if not await exports.add_part(unit.connection, row, attempts=export.attempts):
                raise Overtaken
        written.parts += 1
        written.size_bytes += len(part)

    async def _finish(self, making: _Making, written: _Written) -> int:
        """Say that the file is there, to whoever asked by mail too, unless the right to it ended meanwhile."""
        now = self._clock.now()
        async with self._units.begin(origin="job") as unit:
            export = await exports.lock(unit.session, making.export.id)
            if export is None or export.state != ExportState.QUEUED or export.attempts != making.export.attempts:
                raise Overtaken
            export.child_ids, export.booked_ids = ids_of(making.subject.children)
            if not await is_entitled(unit, export):
                await end(unit, export, ExportState.ENDED, now, ExportCause.RIGHTS)
                return 0
            await self._replace(unit, export, now)
            export.state, export.salt = ExportState.MADE.value, making.salt
            export.parts, export.size_bytes = written.parts, written.size_bytes
            export.made_at, export.expires_at = now, now + TAKEN_WITHIN
            await exports.add(unit.session, export)
            user = making.subject.user
            await self._parts.outbox.queue(unit, [export_made_mail(export.id, user.email, self._parts.base_url)])
            unit.note_change(
                export.center_id or export.organisation_id, job_asks(MAKE_EXPORTS), "data_export", export.id
            )
        _log.info("export_made", export=export.id, parts=written.parts, bytes=written.size_bytes)
        return 1

    async def _replace(self, unit: UnitOfWork, export: DataExport, now: datetime) -> None:
        """One file of a subject is enough: an older one that nobody took goes."""
        for one in await exports.of_subject(unit.session, export, ExportState.MADE):
            await end(unit, one, ExportState.ENDED, now, ExportCause.REPLACED)

    async def _give_up(self, making: _Making, cause: ExportCause) -> None:
        async with self._units.begin(origin="job") as unit:
            export = await exports.lock(unit.session, making.export.id)
            if export is not None and export.state == ExportState.QUEUED:
                await end(unit, export, ExportState.ENDED, self._clock.now(), cause)


_FIRST: Final = "00000000-0000-0000-0000-000000000000"


def _add(archive: ZipParts, file: ExportedFile) -> list[bytes]:
    packed = zipfile.ZIP_STORED if file.name.endswith(".jpg") else zipfile.ZIP_DEFLATED
    return archive.add(file.name, file.data, compression=packed)
