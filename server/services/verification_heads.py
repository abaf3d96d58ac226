"""Checks the signed days: their numbers, chain and signatures, and that a copy outside says the same.

What is good of them says where each chain must stand; the checks of the chains compare (`core.signed_heads.PinCheck`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from server.core.signed_heads import Pin, SignedSheet, key_id
from server.repositories import signed_heads
from server.repositories.unit_of_work import UnitsOfWork
from server.services.verification_log import Finding

Pins = dict[tuple[str, str, str], list[Pin]]
"""What was signed of each chain, by kind, whose it is, and name."""

TABLE: Final = "signed_day"


@dataclass(slots=True)
class SignedReport:
    """What was signed: so many days with so many heads, the last of `last_day`; `compared` of them with a copy."""

    days: int = 0
    heads: int = 0
    last_day: str = ""
    compared: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class HeadsVerification:
    """Reads all signed days."""

    def __init__(self, units: UnitsOfWork, public_key: bytes) -> None:
        """Read through `units`; `public_key` is the one with which this server signs."""
        self._units = units
        self._public_key = public_key

    async def check(self, outside: Sequence[SignedSheet] = ()) -> tuple[SignedReport, Pins]:
        """Check the days of the database, and beside them those of a copy that was kept outside.

        Raises:
            DatabaseUnavailable: the database went away.

        """
        check = SheetCheck(self._public_key)
        async with self._units.read() as connection:
            restored_at_us = await signed_heads.restored_at_us(connection)
            async for signed in signed_heads.sheets(connection):
                check.take(signed)
        check.finish()
        check.compare(outside, restored_at_us)
        return check.report, check.pins


class SheetCheck:
    """Takes the sheets of the database in order, then those of a copy."""

    def __init__(self, public_key: bytes) -> None:
        """Begin before the first; `public_key` is the server's own of today."""
        self._own = public_key
        self._digests: dict[int, bytes] = {}
        self._keys: dict[bytes, str] = {}
        self._previous = b""
        self._last_key = b""
        self.report: Final = SignedReport()
        self.pins: Final[Pins] = {}

    def take(self, signed: SignedSheet) -> None:
        """Check the next sheet; one that nobody signed says nothing about the chains."""
        sheet, report = signed.sheet, self.report
        if sheet.number != report.days + 1:
            self._find(report.days + 1, "the row is missing")
        elif sheet.previous != self._previous:
            self._find(sheet.number, "it does not follow on the day before")
        if signed.is_good:
            self._pin(signed)
        else:
            self._find(sheet.number, "it, or a row of `signed_head`, is not what was signed")
        self._digests[sheet.number], self._previous = sheet.digest, sheet.digest
        self._keys.setdefault(signed.public_key, sheet.day)
        self._last_key = signed.public_key
        report.days, report.last_day = sheet.number, sheet.day
        report.heads += len(sheet.heads)

    def finish(self) -> None:
        """See that the last word is this server's: with it, it vouches for the keys before."""
        if self.report.days and self._last_key != self._own:
            self._find(self.report.days, "it was not signed with the key of this server's SECRET_KEY")
        if len(self._keys) > 1:
            since = ", ".join(f"{key_id(key)} from {day}" for key, day in self._keys.items())
            self.report.notes.append(f"Several keys signed: {since}. There was another SECRET_KEY each time.")

    def compare(self, outside: Sequence[SignedSheet], restored_at_us: int) -> None:
        """Compare with a copy; what it signed before a restore, and the database does not have, went with the restore.

        Only what is signed with a key that also signed here, or is this server's own, is believed.
        """
        gone = 0
        for signed in outside:
            sheet = signed.sheet
            if not signed.is_good or signed.public_key not in {self._own, *self._keys}:
                self._find(sheet.number, "the copy outside of the database is not signed by a key that is known here")
                continue
            self.report.compared += 1
            here = self._digests.get(sheet.number)
            if here == sheet.digest:
                continue
            if sheet.signed_at_us < restored_at_us:
                gone += 1
                continue
            what = "the row is missing" if here is None else "it is another"
            self._find(sheet.number, f"{what}: the copy outside of the database has it, signed on {sheet.day}")
            self._pin(signed)
        if gone:
            self.report.notes.append(f"{gone} days of the copy were signed before the database was restored.")

    def _pin(self, signed: SignedSheet) -> None:
        for head in signed.sheet.heads:
            self.pins.setdefault(head.chain, []).append(Pin(head.seq, head.hash, signed.sheet.day))

    def _find(self, number: int, what: str) -> None:
        """Keep the first thing that is wrong."""
        if not self.report.findings:
            self.report.findings.append(Finding(TABLE, f"number {number}", what))
