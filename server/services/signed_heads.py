"""Signs once a day where every chain stands, and carries what was signed out of the database (decision 0058)."""

import asyncio
from pathlib import Path

import structlog

from server.core.clock import Clock
from server.core.signed_heads import HeadKey, Sheet, SignedSheet, key_id
from server.repositories import signed_heads
from server.repositories.audit_writes import micros
from server.repositories.unit_of_work import UnitsOfWork
from server.services.heads_file import add_sheets
from server.services.heads_mail import HeadsMail

_log = structlog.get_logger(__name__)


class SignedHeads:
    """Adds a sheet a day; one of several servers on a database signs, and each keeps a file."""

    def __init__(
        self, units: UnitsOfWork, clock: Clock, key: HeadKey, path: Path, mail: HeadsMail | None = None
    ) -> None:
        """Sign with `key`, keep all sheets in the file at `path` too, and send each by `mail`, if there is one."""
        self._units = units
        self._clock = clock
        self._key = key
        self._path = path
        self._mail = mail
        self._kept = 0

    async def run(self) -> None:
        """Sign, unless today was signed, and add to the file what it lacks. A job.

        Raises:
            OSError: the file cannot be written; the next run adds what it lacks.

        """
        signed = await self.sign()
        if signed is not None:
            # Logs are carried away on many machines: this is one more place that the database does not reach.
            _log.info("heads_signed", number=signed.sheet.number, heads=len(signed.sheet.heads),
                      digest=signed.sheet.digest.hex(), key=key_id(signed.public_key))  # fmt: skip
        await self._keep()

    async def sign(self) -> SignedSheet | None:
        """Add the sheet of today (UTC); None when it is there, signed with today's key."""
        async with self._units.begin(origin="server") as unit:
            await signed_heads.lock(unit.connection)
            before, now = await signed_heads.last(unit.connection), self._clock.now()
            day = now.date().isoformat()
            if before and before.sheet.day >= day and before.public_key == self._key.public_key:
                return None
            number, previous = (before.sheet.number + 1, before.sheet.digest) if before else (1, b"")
            # Never a day back, whatever became of the clock: the days of a file can be read from top to bottom.
            day = max(day, before.sheet.day) if before else day
            heads = await signed_heads.moved(unit.connection)
            signed = self._key.sign(Sheet(number, day, micros(now), previous, heads))
            await signed_heads.add(unit.connection, signed, now)
            if self._mail is not None:
                await self._mail.queue(unit, signed)
        return signed

    async def _keep(self) -> None:
        """Add to the file what it lacks; a whole look only at the first run of a process."""
        async with self._units.read() as connection:
            sheets = [one async for one in signed_heads.sheets(connection, after=self._kept)]
        added = await asyncio.to_thread(add_sheets, self._path, sheets)
        if sheets:
            self._kept = sheets[-1].sheet.number
        if added:
            _log.info("heads_kept", sheets=added)
