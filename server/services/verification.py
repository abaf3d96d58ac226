"""The check of everything: chains, dense numbers, signatures, outcomes, and that all tables say what the log says."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, TypeVar

from server.core.signed_heads import AUDIT, JOURNAL, LOG, Pin
from server.repositories import audit
from server.repositories import verification as books
from server.repositories import verification_journals as device_books
from server.repositories.journals import escaped
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.repositories.verification import HeadRow, LogRow
from server.services.verification_audit import AuditCheck
from server.services.verification_heads import Pins
from server.services.verification_journals import IncidentCheck, JournalCheck
from server.services.verification_log import DigestCheck, Finding, LogCheck, check_epochs, explain_fold
from server.services.verification_tables import RosterCheck, check_fact

__all__ = ["CenterReport", "Finding", "Verification"]

Progress = Callable[[int, int], None]
"""Takes how many rows were looked at, and of about how many."""

ROWS_A_TICK: Final = 200
NOTHING_SIGNED: Final[Pins] = {}

Row = TypeVar("Row")
Wrong = TypeVar("Wrong")


@dataclass(slots=True)
class CenterReport:
    """What the check of a centre found: the first wrong row of each table, in the order of the check."""

    center_id: str
    code: str
    version: int = 0
    rows: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Verification:
    """Reads all there is of a centre in one transaction, which sees the books as they stood at its beginning."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Read through `units`."""
        self._units = units

    async def center_ids(self) -> list[str]:
        """Give every centre of which there is anything."""
        async with self._units.read() as connection:
            return await books.center_ids(connection)

    async def check(
        self, center_id: str, progress: Progress = lambda _done, _total: None, pins: Pins = NOTHING_SIGNED
    ) -> CenterReport:
        """Check one centre, in bounded memory: its roster is held at once, everything else goes by row after row.

        `pins` is what was signed of all chains (`HeadsVerification`).

        Raises:
            DatabaseUnavailable: the database went away.

        """
        async with self._units.read() as connection:
            report = CenterReport(center_id, await books.code_of(connection, center_id))
            total = await books.sizes(connection, center_id)
            check = _CenterCheck(connection, report, lambda: progress(report.rows, max(report.rows, total)), pins)
            await check.run()
        progress(report.rows, report.rows)
        return report


class _CenterCheck:
    """The steps of one check; each stops at the first row that is wrong, and the next begins."""

    def __init__(self, connection: Connection, report: CenterReport, tick: Callable[[], None], pins: Pins) -> None:
        self._connection = connection
        self._report = report
        self._center_id = report.center_id
        self._tick = tick
        self._pins = pins

    async def run(self) -> None:
        head = await books.head(self._connection, self._center_id)
        if head is not None:
            self._report.version = head.version
        await self._log(head)
        self._note(await self._fold())
        await self._digests(head)
        await self._roster()
        self._note(await self._first(books.facts(self._connection, self._center_id), check_fact))
        await self._journals()
        await self._audit()

    async def _log(self, head: HeadRow | None) -> None:
        if head is None:
            has_rows = await self._first(books.log_rows(self._connection, self._center_id), _any) is not None
            if has_rows or self._signed(LOG):
                self._note(Finding("center_head", self._center_id, "the row is missing"))
            return
        self._note(check_epochs(self._center_id, head, await books.epochs(self._connection, self._center_id)))
        check = LogCheck(self._center_id, head, self._signed(LOG))
        rows = books.log_rows(self._connection, self._center_id)
        self._note(await self._first(rows, check.take) or check.finish())
        if head.evidence_version < head.version:
            behind = head.version - head.evidence_version
            self._report.notes.append(
                f"An older server wrote the last {behind} rows: evidence and digests reach them with the next write."
            )

    async def _fold(self) -> Finding | None:
        found = await books.fold_difference(self._connection, self._center_id)
        return None if found is None else explain_fold(found)

    async def _digests(self, head: HeadRow | None) -> None:
        if head is not None and head.evidence_version < head.version:
            return
        check = DigestCheck()
        async for held in books.held(self._connection, self._center_id):
            check.take(held)
            self._count()
        self._note(check.finish(await books.stored_digests(self._connection, self._center_id)))

    async def _roster(self) -> None:
        check = RosterCheck(await books.roster(self._connection, self._center_id))
        records = books.reference_records(self._connection, self._center_id)
        self._note(await self._first(records, check.take) or check.finish())

    async def _journals(self) -> None:
        missing = {name for kind, center_id, name in self._pins if (kind, center_id) == (JOURNAL, self._center_id)}
        for journal in await device_books.journals(self._connection, self._center_id):
            name = f"{journal.device_id} {escaped(journal.incarnation)}"
            missing.discard(name)
            check = JournalCheck(journal, self._signed(JOURNAL, name))
            entries = device_books.entries(self._connection, self._center_id, journal)
            self._note(await self._first(entries, check.take) or check.finish())
        for name in sorted(missing):
            day = self._signed(JOURNAL, name)[-1].day
            self._note(Finding("device_journal", name, f"the row is missing: it was signed on {day}"))
        orphan = await device_books.orphan_entry(self._connection, self._center_id)
        if orphan is not None:
            device_id, incarnation, _ = orphan
            self._note(Finding("device_journal", f"{device_id} {incarnation}", "the row is missing"))
        incidents = IncidentCheck()
        told = device_books.incidents(self._connection, self._center_id)
        self._note(await self._first(told, incidents.take) or incidents.finish())
        unborn = await device_books.fact_without_entry(self._connection, self._center_id)
        if unborn is not None:
            version, event_id = unborn
            self._note(Finding("journal_entry", f"event {event_id}", "no entry brought this event", version))

    async def _audit(self) -> None:
        check = AuditCheck(await audit.chain_end(self._connection, self._center_id), self._signed(AUDIT))
        entries = audit.chain(self._connection, self._center_id)
        self._note(await self._first(entries, check.take) or check.finish())

    def _signed(self, kind: str, name: str = "") -> list[Pin]:
        return self._pins.get((kind, self._center_id, name), [])

    async def _first(self, rows: AsyncGenerator[Row, None], check: Callable[[Row], Wrong | None]) -> Wrong | None:
        """Look at rows until one is wrong."""
        async with aclosing(rows):
            async for row in rows:
                self._count()
                found = check(row)
                if found is not None:
                    return found
        return None

    def _count(self) -> None:
        self._report.rows += 1
        if self._report.rows % ROWS_A_TICK == 0:
            self._tick()

    def _note(self, found: Finding | None) -> None:
        """Keep what was found, unless a row of that table is known to be wrong already."""
        if found is not None and found.table not in {known.table for known in self._report.findings}:
            self._report.findings.append(found)


def _any(row: LogRow) -> int:
    return row.change.version
