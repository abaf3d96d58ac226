"""Roll-calls at a desk: who is on the list, what is merged, what is kept on paper, and what nothing may hide."""

import os
import sys
from pathlib import Path

import pytest

from kiosk.services.desk_file import SheetSettings
from kiosk.services.errors import DeskError
from kiosk.services.revocation import clear_away
from kiosk.services.rollcall_sheet import Place, heard_words, line_words
from kiosk.services.rollcalls import Heard, RollLine, RollState, RollView
from kiosk.services.sheets import SHEETS_MAX, SheetDrawer
from kiosk.settings import DataFolder
from sync.attendance import EventKind
from sync.limits import LEASE_MS
from sync.rollcall import RollMark
from tests.support.building_desk import (
    AFONSO,
    ANA,
    BEES,
    INES,
    MARIA,
    MINUTE_MS,
    SOFIA,
    UnlinkedDesk,
    event_at,
    id_of,
)
from tests.support.kiosk_clock import StandingClock

OTHER_CALL = id_of(0xCA11)
HOUR_MS = 60 * MINUTE_MS
SILENT_SINCE_MS = {"Gate": 10 * HOUR_MS + 41 * MINUTE_MS, "Kitchen": 10 * HOUR_MS + 2 * MINUTE_MS, "Attic": 8 * HOUR_MS}


def states(view: RollView) -> dict[str, RollState]:
    return {line.person.name: line.state for line in view.lines}


def line_of(view: RollView, subject_id: str) -> RollLine:
    return next(line for line in view.lines if line.person.subject_id == subject_id)


async def test_a_roll_call_lists_everybody_by_room_and_each_word_is_durable_at_once(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    rollcalls = desk.building.rollcalls
    assert (await rollcalls.view()).lines == ()
    await desk.check_in(INES)
    await desk.check_in(ANA)
    await desk.building.visits.staff_in(SOFIA, BEES)
    await desk.building.visits.visitor_in("Rui Costa", purpose="Acme", host="Sofia")
    before = await rollcalls.view()
    assert [line.person.name for line in before.lines] == ["Ana Silva", "Sofia Reis", "Inês Gonçalves", "Rui Costa"]
    assert (before.goes_on, before.count(RollState.TO_DO)) == (False, 4)
    kept = await rollcalls.mark(ANA, RollMark.PRESENT)  # the first word begins it, and a sheet is kept
    assert kept.path is not None
    assert "[x] Ana Silva" in rollcalls._drawer().read(kept.path)
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert (await desk.status()).waiting == 6
    view = await rollcalls.view()
    assert (view.goes_on, view.started_by, view.next_to_do(ANA)) == (True, "Front desk", SOFIA)
    await rollcalls.mark(INES, RollMark.MISSING)
    await rollcalls.mark(SOFIA, RollMark.ELSEWHERE)
    assert states(await rollcalls.view()) == {
        "Ana Silva": RollState.SAFE,
        "Sofia Reis": RollState.ELSEWHERE,
        "Inês Gonçalves": RollState.MISSING,
        "Rui Costa": RollState.TO_DO,
    }
    await rollcalls.mark(INES, RollMark.PRESENT)  # of one desk the later word counts
    clock.pass_ms(MINUTE_MS)
    await desk.check_out(ANA, adult_id=MARIA)  # collected in the yard: still on the list
    assert "checked out 07:59" in line_words(line_of(await rollcalls.view(), ANA), rollcalls.place())
    await desk.check_in(AFONSO)  # whoever comes meanwhile is expected, too
    assert states(await rollcalls.view())["Afonso Almeida"] is RollState.TO_DO


async def test_roll_calls_of_desks_that_could_not_hear_each_other_are_one_and_a_missing_is_never_hidden(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    rollcalls = desk.building.rollcalls
    for child_id in (ANA, INES):
        await desk.check_in(child_id)
    await rollcalls.start()
    own = (await rollcalls.view()).open_ids
    await rollcalls.start()
    assert (await rollcalls.view()).open_ids == own  # a second key press joins
    clock.pass_ms(MINUTE_MS)
    await rollcalls.mark(ANA, RollMark.PRESENT)
    now_ms = clock.wall_ms()
    said = {"rollcall_id": OTHER_CALL}
    await desk.hear_of(
        event_at(EventKind.ROLLCALL_START, now_ms - MINUTE_MS // 2, 1, **said),
        event_at(EventKind.ROLLCALL_MARK, now_ms, 2, child_id=ANA, mark="missing", **said),
        event_at(EventKind.ROLLCALL_MARK, now_ms, 3, child_id=INES, mark="present", **said),
    )
    view = await rollcalls.view()
    assert set(view.open_ids) == {*own, OTHER_CALL}
    assert states(view) == {"Ana Silva": RollState.MISSING, "Inês Gonçalves": RollState.SAFE}
    ana = line_of(view, ANA)
    assert ana.is_disagreed
    assert {word.desk for word in ana.words} == {"Front desk", "Back door"}
    heard, desks = heard_words(view, rollcalls.place(), now_ms)
    assert heard == "Complete to 07:59 from Front desk; this desk has never heard the server."
    assert desks.startswith("Last entry elsewhere: Back door 07:59.")
    ended = await rollcalls.end()  # ends both
    assert ended.path is not None
    assert "TO BE FOUND (1)\n[!] Ana Silva" in rollcalls._drawer().read(ended.path)
    assert not (await rollcalls.view()).goes_on
    clock.pass_ms(MINUTE_MS)
    await rollcalls.mark(ANA, RollMark.PRESENT)  # whoever is found late is found
    late = await rollcalls.view()
    assert (states(late)["Ana Silva"], late.goes_on) == (RollState.SAFE, False)
    with pytest.raises(DeskError, match="No roll call goes on"):
        await rollcalls.end()
    clock.pass_ms(MINUTE_MS)
    await rollcalls.start()  # another one begins with nobody marked
    assert set(states(await rollcalls.view()).values()) == {RollState.TO_DO}
    clock.pass_ms(13 * 60 * MINUTE_MS)  # what nobody ended yesterday is no list for today
    assert (await rollcalls.view()).ids == ()


async def test_somebody_on_no_list_is_added_from_the_file_or_by_a_typed_name(desk: UnlinkedDesk) -> None:
    rollcalls = desk.building.rollcalls
    await desk.check_in(ANA)
    assert [one.subject_id for one in await rollcalls.candidates("goncalves")] == [INES]
    assert await rollcalls.candidates("silva") == ()  # she is on the list
    assert await rollcalls.candidates("  ") == ()
    await rollcalls.mark(INES, RollMark.PRESENT)
    assert line_of(await rollcalls.view(), INES).is_unlisted
    for name in ("", "x", "x" * 81, "\x00\x07"):
        with pytest.raises(DeskError, match="name"):
            await rollcalls.add(name)
    person_id = await rollcalls.add("  Tom\tDelivery \x1b ")
    added = line_of(await rollcalls.view(), person_id)
    assert (added.person.name, added.state, added.person.note) == (
        "Tom Delivery",
        RollState.SAFE,
        "found at a roll-call",
    )


async def test_a_locked_desk_counts_people_all_the_same_and_names_nobody_who_is_not_in(
    desk: UnlinkedDesk, clock: StandingClock
) -> None:
    await desk.check_in(ANA)
    opened = desk._opened.replica
    await opened.database.run(lambda: _grant_lease(desk))
    clock.pass_ms(2 * LEASE_MS)
    await desk._make_round()
    assert (await desk.status()).locked
    with pytest.raises(DeskError, match="in touch"):
        await desk.roster()
    rollcalls = desk.building.rollcalls
    await rollcalls.mark(ANA, RollMark.MISSING)
    assert states(await rollcalls.view()) == {"Ana Silva": RollState.MISSING}
    assert await rollcalls.candidates("ines") == ()
    with pytest.raises(DeskError, match="in touch"):
        await desk.building.visits.staff()


def _grant_lease(desk: UnlinkedDesk) -> None:
    replica = desk._opened.replica
    with replica.database.transaction():
        replica.progress.grant_lease(LEASE_MS)


async def test_a_sheet_that_cannot_be_written_stops_no_roll_call(desk: UnlinkedDesk) -> None:
    await desk.check_in(ANA)
    desk._opened.folder.rollcalls.write_text("in the way", encoding="utf-8")
    kept = await desk.building.rollcalls.start()
    assert "could not be written" in kept.trouble
    assert (await desk.building.rollcalls.view()).goes_on


def drawer(folder: Path, key: bytes = b"k" * 32) -> SheetDrawer:
    return SheetDrawer(folder, key, os.urandom)


def test_only_the_newest_fifty_sheets_are_kept_and_only_this_desks_keys_open_them(tmp_path: Path) -> None:
    assert drawer(tmp_path).newest() is None
    (tmp_path / "rollcall-20260101T000000000Z-end.txt").write_text("Ottilie Canary", encoding="utf-8")
    for number in range(SHEETS_MAX):
        drawer(tmp_path).keep(f"sheet {number} Ottilie", now_ms=1_789_973_880_000 + number, stage="now")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == SHEETS_MAX
    assert all(name.endswith("now.sheet") for name in names)  # the plain one of an earlier version was sealed, and went
    newest = drawer(tmp_path).newest()
    assert newest is not None
    assert drawer(tmp_path).read(newest) == "sheet 49 Ottilie"
    sealed = newest.read_bytes()
    assert b"Ottilie" not in sealed
    with pytest.raises(DeskError, match="other keys"):
        drawer(tmp_path, b"other" * 6 + b"!!").read(newest)
    for damaged in (sealed[:-1], sealed[:20], b"", b"plain words"):
        newest.write_bytes(damaged)
        with pytest.raises(DeskError, match="damaged"):
            drawer(tmp_path).read(newest)


def test_the_sheets_of_a_revoked_desk_are_deleted_with_everything_else(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    drawer(folder.rollcalls).keep("names", now_ms=1_789_973_880_000, stage="end")
    clear_away(folder)
    assert not folder.rollcalls.exists()


async def test_a_sheet_goes_to_the_printer_where_there_is_one(desk: UnlinkedDesk, tmp_path: Path) -> None:
    await desk.check_in(ANA)
    rollcalls, paper = desk.building.rollcalls, tmp_path / "paper"
    assert not (await rollcalls.print_now()).is_printed
    program = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    rollcalls.settings = SheetSettings(print_command=(sys.executable, "-c", program, str(paper)))
    assert (await rollcalls.print_now()).is_printed
    assert "Ana Silva" in paper.read_text(encoding="utf-8")
    rollcalls.settings = SheetSettings(print_command=(str(tmp_path / "nothing"),))
    kept = await rollcalls.print_now()
    assert "did not take the sheet" in kept.trouble
    assert kept.path is not None


@pytest.mark.parametrize(
    ("width", "own", "others"),
    [
        (200, "Front desk of the old house", "Last entry elsewhere: Gate 10:41, Kitchen 10:02, Attic 08:00."),
        (83, "this desk", "Longest silent: Attic 08:00, Kitchen 10:02, 1 later."),
        (78, "this desk", "Longest silent: Attic 08:00, 2 later."),
        (40, "this desk", "3 other desks, one silent since 08:00!"),
    ],
)
def test_where_desks_do_not_fit_names_give_way_and_who_is_silent_longest_stays(
    width: int, own: str, others: str
) -> None:
    silent = tuple(Heard(name, at_ms) for name, at_ms in SILENT_SINCE_MS.items())
    view = RollView(lines=(), desks=silent, as_of_ms=silent[0].at_ms)
    place = Place("Oak House", "Front desk of the old house", "UTC")
    now_ms = silent[0].at_ms + MINUTE_MS
    first, second = heard_words(view, place, now_ms, lambda words: len(words) <= width)
    assert first == f"Complete to 10:42 from {own}; entries of other desks since 10:41 are NOT here."
    assert second.removesuffix(" A silent desk may be cut off.") == others
