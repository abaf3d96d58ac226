"""Imports a roster from CSV files: nothing of it when a row is bad, unless that is asked for."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from server.core.clock import Clock
from server.models.rooms import Center, Organisation
from server.repositories import rosters
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.people_days import attested_by
from server.services.projections import refold
from server.services.roster_changes import RosterChanges, Tally, assign
from server.services.roster_file import Problem, SourceFile, read_files
from server.services.roster_references import KnownIds, check_references
from server.services.roster_rows import ALL_COLUMNS, RosterRow, check_rows
from sync.records import Entity

Progress = Callable[[int, int], None]
"""Takes how many rows are stored, and of how many."""

_KIND_OF_PERSON = {"child": "child", "adult": "guardian", "staff": "staff", "room": "room"}


@dataclass(slots=True)
class ImportReport:
    """What an import did, or would have done; `stored` tells which."""

    problems: list[Problem] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    stored: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """Rows that stand, by the code of their centre."""

    rows: dict[str, list[RosterRow]]
    problems: list[Problem]

    @property
    def size(self) -> int:
        return sum(len(rows) for rows in self.rows.values())


@dataclass(frozen=True, slots=True)
class _Work:
    """The rows of one centre, what they are counted in, and whom to tell after each."""

    code: str
    rows: list[RosterRow]
    tally: Tally
    tick: Callable[[], None]


class _Undo(Exception):
    """Leaves a rehearsal's transaction."""


class RosterImport:
    """Takes files in; each centre's rows in one transaction, each record its own unit of the change log."""

    def __init__(self, units: UnitsOfWork, new_id: Callable[[], str], clock: Clock) -> None:
        """Store through `units`; `new_id` names what is new, `clock` says since when a pick-up is what it is."""
        self._units = units
        self._new_id = new_id
        self._clock = clock

    async def run(
        self,
        files: Sequence[SourceFile],
        *,
        skip_bad: bool = False,
        dry_run: bool = False,
        progress: Progress = lambda _done, _total: None,
    ) -> ImportReport:
        """Check all rows of all files, then store them.

        With a bad row nothing is stored, unless `skip_bad`: then bad rows and those that depend on them are left
        out. `dry_run` does everything and keeps nothing. Running it again with the same files changes nothing.

        Raises:
            DatabaseUnavailable: nothing of the centre in work was stored.

        """
        plan = await self._plan(files)
        report = ImportReport(problems=plan.problems)
        if (plan.problems and not skip_bad) or not plan.rows:
            return report
        rows_left = iter(range(1, plan.size + 1))
        for code, rows in sorted(plan.rows.items()):
            work = _Work(code, rows, report.tally, lambda: progress(next(rows_left), plan.size))
            await self._store(work, dry_run=dry_run)
        report.stored = not dry_run
        return report

    async def _plan(self, files: Sequence[SourceFile]) -> _Plan:
        reading = read_files(files, ALL_COLUMNS)
        rows, wrong_cells = check_rows(reading.rows)
        taken = {row.place for row in rows}
        bad_rows = [row for row in reading.rows if row.place not in taken]
        known = await self._known()
        good, wrong_references = check_references(rows, known, bad_rows)
        by_center: dict[str, list[RosterRow]] = {}
        for row in good:
            by_center.setdefault(row.center, []).append(row)
        problems = [*reading.problems, *wrong_cells, *wrong_references]
        return _Plan(by_center, sorted(problems, key=lambda problem: (problem.place, problem.column)))

    async def _known(self) -> KnownIds:
        async with self._units.begin() as unit:
            codes = await rosters.known_centers(unit.session)
            keys = await rosters.known_keys(unit.session, codes)
        ours = frozenset((_KIND_OF_PERSON[kind], code, external_id) for kind, code, external_id in keys)
        return KnownIds(frozenset(codes), ours)

    async def _store(self, work: _Work, *, dry_run: bool) -> None:
        with suppress(_Undo):
            async with self._units.begin(origin="import") as unit:
                await self._store_center(unit, work)
                if dry_run:
                    raise _Undo

    async def _store_center(self, unit: UnitOfWork, work: _Work) -> None:
        center = await self._center(unit, work)
        await unit.lock_head(center.id)
        roster = await rosters.load(unit.session, center)
        of_center = roster_records.center_record(center, roster.calendar, roster.ratio_rules)
        unit.put(center.id, Entity.CENTER, center.id, of_center)
        unit.end_unit()
        changes = RosterChanges(roster, self._new_id, work.tally, now_ms=self._clock.wall_ms())
        for row in work.rows:
            if row.kind != "center":
                changes.apply(row)
            work.tick()
        await rosters.add(unit.session, *changes.new_rows)
        for entity, key, record in changes.records():
            unit.put(center.id, entity, key, record)
            unit.end_unit()
        if changes.judged_anew or changes.employed_anew:
            await unit.session.flush()
            attested = await attested_by(unit, center.id, sorted(changes.employed_anew))
            await refold(unit.connection, center.id, sorted(changes.judged_anew.union(attested)))

    async def _center(self, unit: UnitOfWork, work: _Work) -> Center:
        rows, tally = [row for row in work.rows if row.kind == "center"], work.tally
        center = await rosters.find_center(unit.session, work.code)
        if not rows and center is not None:
            return center
        given = rows[0].values
        values = {name: given[name] for name in ("name", "time_zone", "opens_at", "closes_at")}
        if center is None or given["organisation"]:
            owner = await self._organisation(unit, given["organisation"] or given["name"])
            values["organisation_id"] = owner.id
        if center is None:
            center = Center(id=self._new_id(), code=work.code, **values)
            await rosters.add(unit.session, [center])
            tally.created["center"] += 1
        elif assign(center, values):
            tally.updated["center"] += 1
        else:
            tally.unchanged["center"] += 1
        return center

    async def _organisation(self, unit: UnitOfWork, name: str) -> Organisation:
        found = await rosters.find_organisation(unit.session, name)
        if found is None:
            found = Organisation(id=self._new_id(), name=name)
            await rosters.add(unit.session, [found])
        return found
