"""Takes journals in from files: for a desk that cannot reach the server any more, or never will again."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from server.core.errors import RollcallError
from server.core.signatures import is_signed
from server.repositories import devices, journal_writes
from server.repositories.journal_writes import JournalKey
from server.repositories.unit_of_work import UnitsOfWork
from server.services.backup import Progress, count_up
from server.services.journal_intake import JournalIntake
from server.services.pushes import DeviceKey
from sync.events import BatchRefused
from sync.journal import Entry, EntryOutcome, Outcome
from sync.journal_file import LINE_BYTES_MAX, BadJournalFile, FileHeader, JournalFileReader, JournalSpan
from sync.limits import PUSH_ENTRIES_MAX

# An ordinary entry is some hundred bytes; this bounds the memory of a run of large ones.
RUN_BYTES_MAX: Final = 4 * 1024 * 1024

Advance = Callable[[int], None]
"""Takes how many bytes more were read; every file is read twice, to be checked and to be stored."""


class JournalFileRefused(RollcallError):
    """A file is no whole, unchanged export of a device of this server; nothing of it was stored."""

    code = "journal_file_refused"
    title = "This journal file cannot be taken"


@dataclass(slots=True)
class JournalReport:
    """What became of the entries of one journal; `known` of them were stored before."""

    incarnation: str
    first_seq: int
    last_seq: int
    known: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problem: str = ""


@dataclass(slots=True)
class FileReport:
    """What became of one file; a journal with a problem was stored up to that point and no further."""

    path: Path
    device_id: str
    device_name: str
    center_id: str
    journals: list[JournalReport] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every entry of the file is stored now."""
        return not any(journal.problem for journal in self.journals)


@dataclass(frozen=True, slots=True)
class _Checked:
    path: Path
    header: FileHeader
    device_name: str

    @property
    def key(self) -> DeviceKey:
        return DeviceKey(self.header.center_id, self.header.device_id)


class JournalImport:
    """Checks all files before it stores any of them; entries go in as a push of their device does."""

    def __init__(self, units: UnitsOfWork, intake: JournalIntake) -> None:
        """Look devices up through `units`, store through `intake`."""
        self._units = units
        self._intake = intake

    async def run(self, paths: Sequence[Path], progress: Progress = lambda _done, _total: None) -> list[FileReport]:
        """Store what the files hold; what was stored before keeps its first outcome, so doing it again is safe.

        Raises:
            JournalFileRefused: a file was changed, is cut off, or is of no device here; no file was stored.
            DatabaseUnavailable: the database went away; do it again.

        """
        total = 2 * sum(_size(path) for path in paths)
        advance = count_up(progress, total)
        checked = [await self._check(path, advance) for path in paths]
        return [await self._store(file, advance) for file in checked]

    async def _check(self, path: Path, advance: Advance) -> _Checked:
        header = _read(path, advance)
        async with self._units.begin() as unit:
            device = await devices.find(unit.session, header.device_id)
        if device is None:
            raise _refused(path, 1, "this server knows no such device")
        if device.public_key != header.public_key:
            raise _refused(path, 1, "the device is known here by another key")
        if device.center_id != header.center_id:
            raise _refused(path, 1, "the device belongs to another centre")
        return _Checked(path, header, device.name)

    async def _store(self, file: _Checked, advance: Advance) -> FileReport:
        header = file.header
        report = FileReport(file.path, header.device_id, file.device_name, header.center_id)
        reports = {span.incarnation: await self._begin(file.key, span) for span in header.journals}
        report.journals = list(reports.values())
        for run in _runs(file.path, advance):
            journal = reports[run[0].incarnation]
            if not journal.problem:
                await self._store_run(file.key, run, journal)
        return report

    async def _begin(self, key: DeviceKey, span: JournalSpan) -> JournalReport:
        journal = JournalKey(key.center_id, key.device_id, span.incarnation)
        async with self._units.read() as connection:
            ends = await journal_writes.journal_ends(connection, [journal])
        known = max(0, min(ends[journal].head.seq, span.last_seq) - span.first_seq + 1)
        return JournalReport(span.incarnation, span.first_seq, span.last_seq, known)

    async def _store_run(self, key: DeviceKey, run: Sequence[Entry], journal: JournalReport) -> None:
        answer = await self._intake.store_batch(key, run)
        if isinstance(answer, BatchRefused):
            journal.problem = f"{answer.code.name.lower()}: {answer.reason}"
        elif not answer.outcomes:
            journal.problem = f"entry {answer.through_seq + 1} is missing: it is neither here nor in the file"
        else:
            journal.outcomes.update(map(_name, answer.outcomes))


def _name(outcome: EntryOutcome) -> str:
    name = outcome.outcome.name.lower()
    return f"{name}: {outcome.reason.name.lower()}" if outcome.outcome is Outcome.PARKED else name


def _read(path: Path, advance: Advance) -> FileHeader:
    """Check a whole file."""
    reader = JournalFileReader(is_signed)
    try:
        for line in _lines(path, advance):
            reader.take(line)
        return reader.finish()
    except BadJournalFile as error:
        raise _refused(path, error.line, error.reason) from None


def _runs(path: Path, advance: Advance) -> Iterator[list[Entry]]:
    """Cut the entries of a file that was checked into runs of one journal, each of the size of a push."""
    reader = JournalFileReader(is_signed)
    run: list[Entry] = []
    size = 0
    for line in _lines(path, advance):
        entry = reader.take(line)
        if entry is None:
            continue
        is_full = len(run) == PUSH_ENTRIES_MAX or size + len(entry.body) > RUN_BYTES_MAX
        if run and (is_full or entry.incarnation != run[0].incarnation):
            yield run
            run, size = [], 0
        run.append(entry)
        size += len(entry.body)
    if run:
        yield run


def _lines(path: Path, advance: Advance) -> Iterator[bytes]:
    """Give the lines of a file; of one that is too long only so much that it is known to be."""
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX + 1):
                yield line
                advance(len(line))
    except OSError as error:
        raise _unreadable(path, error) from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None


def _refused(path: Path, line: int, reason: str) -> JournalFileRefused:
    return JournalFileRefused(f"{path}, line {line}: {reason}. Nothing was stored.")


def _unreadable(path: Path, error: OSError) -> JournalFileRefused:
    return JournalFileRefused(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}.")
