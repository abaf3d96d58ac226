"""Checks rows against each other and against what is known: nothing twice, nothing that points nowhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from server.services.roster_file import Place, Problem, TextRow
from server.services.roster_rows import RosterRow

# Each kind after the kinds it points to.
ORDER: Final = ("center", "room", "staff", "guardian", "child", "pickup", "alert")
_POINTERS: Final = {
    "child": (("room", "room"),),
    "pickup": (("child", "child"), ("adult", "guardian")),
    "alert": (("child", "child"),),
}

Key = tuple[str, str, str]
"""Kind, code of the centre, and id in the file."""


@dataclass(frozen=True, slots=True)
class KnownIds:
    """What the database already has: the codes of all centres, and the ids of what rows may point to."""

    centers: frozenset[str] = frozenset()
    keys: frozenset[Key] = frozenset()


@dataclass(slots=True)
class _Check:
    known: KnownIds
    only_center: str
    bad_lines: dict[tuple[str, str], Place]
    centers: set[str]
    seen: dict[Key, Place] = field(default_factory=dict)
    good: list[RosterRow] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def check_references(
    rows: Iterable[RosterRow], known: KnownIds, bad_rows: Sequence[TextRow] = ()
) -> tuple[list[RosterRow], list[Problem]]:
    """Give the rows that stand, in an order in which they can be stored, each with the code of its centre.

    `bad_rows` were left out before; a row that points to one of them is told so, and left out too.
    """
    listed = sorted(rows, key=lambda row: ORDER.index(row.kind))
    codes = {row.external_id for row in listed if row.kind == "center"}
    centers = set(known.centers) | codes
    check = _Check(
        known=known,
        only_center=_only(codes) or _only(centers),
        bad_lines={(row.kind, row.cells.get("external_id", "")): row.place for row in bad_rows},
        centers=centers,
    )
    for row in listed:
        _check_row(check, row)
    return check.good, sorted(check.problems, key=lambda problem: problem.place)


def _only(codes: set[str]) -> str:
    return next(iter(codes)) if len(codes) == 1 else ""


def _check_row(check: _Check, row: RosterRow) -> None:
    code = row.external_id if row.kind == "center" else row.center or check.only_center
    placed = replace(row, values={**row.values, "center": code})
    problems = [*_center_problems(check, placed), *_duplicate_problems(check, placed)]
    if not problems:
        problems = list(_pointer_problems(check, placed))
    if problems:
        check.problems += problems
        check.bad_lines.setdefault((row.kind, row.external_id), row.place)
        return
    check.seen[(row.kind, code, row.external_id)] = row.place
    check.good.append(placed)


def _center_problems(check: _Check, row: RosterRow) -> Iterable[Problem]:
    if row.kind == "center":
        return
    if row.center in check.centers:
        return
    bad_centers = {code: place for (kind, code), place in check.bad_lines.items() if kind == "center"}
    place = bad_centers.get(row.center or _only(set(bad_centers)))
    if place is not None:
        yield Problem(row.place, "center", f"its centre is in line {place.line}, which cannot be taken")
    elif row.center:
        yield Problem(row.place, "center", "there is no centre with this code")
    else:
        yield Problem(row.place, "center", "say which centre: there is more than one, or none yet")


def _duplicate_problems(check: _Check, row: RosterRow) -> Iterable[Problem]:
    first = check.seen.get((row.kind, row.center, row.external_id))
    if first is not None:
        column = "child" if row.kind == "pickup" else "external_id"
        where = f"line {first.line}" if first.file == row.place.file else f"{first.file}, line {first.line}"
        yield Problem(row.place, column, f"this {row.kind} was there already: {where}")


def _pointer_problems(check: _Check, row: RosterRow) -> Iterable[Problem]:
    for column, kind in _POINTERS.get(row.kind, ()):
        target = row.values[column]
        key = (kind, row.center, target)
        if not target or key in check.seen or key in check.known.keys:
            continue
        bad = check.bad_lines.get((kind, target))
        reason = f"there is no {kind} with this id"
        if bad is not None:
            reason = f"this {kind} is in line {bad.line}, which cannot be taken"
        yield Problem(row.place, column, reason)
