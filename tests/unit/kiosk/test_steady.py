"""A desk whose screen crashes: it comes back by itself, not for ever, and what is kept of it names nobody."""

import os
import pty
import stat
from pathlib import Path

import msgspec
import pytest

from kiosk.screens.calm import RESTART_S, STARTS_AGAIN, STAYS, BareTerminal
from kiosk.services.crashes import (
    FRAMES_MAX,
    REPORTS_MAX,
    RESTARTS_MAX,
    WINDOW_MS,
    CrashCount,
    CrashReport,
    crash_report,
    keep_report,
)
from kiosk.services.errors import DeskError
from kiosk.steady import run_steadily
from tests.support.kiosk_clock import StandingClock

NOW_MS = 1_789_973_880_000


class Place:
    """Remembers what was said; time passes at once, and a person comes so often."""

    def __init__(self, clock: StandingClock, persons: int = 0) -> None:
        self.said: list[tuple[str, ...]] = []
        self._clock = clock
        self._persons = persons

    def say(self, lines: tuple[str, ...]) -> None:
        self.said.append(lines)

    def wait(self, seconds: float) -> None:
        self._clock.pass_ms(int(seconds * 1000))

    def wait_for_enter(self) -> bool:
        self._persons -= 1
        return self._persons >= 0


class Runs:
    """A screen that ends so: of an error that it gives back or raises, or, with None, by somebody who quits."""

    def __init__(self, *ends: BaseException | None) -> None:
        self._ends = list(ends)

    async def __call__(self) -> BaseException | None:
        end = self._ends.pop(0)
        if isinstance(end, KeyError | DeskError | OSError):
            raise end
        return end

    @property
    def left(self) -> int:
        return len(self._ends)


def test_a_desk_comes_back_three_times_a_minute_then_stays_calm_until_a_person_comes(tmp_path: Path) -> None:
    clock = StandingClock(NOW_MS)
    place, defect = Place(clock, persons=1), ValueError("Ottilie Canary")
    runs = Runs(*[defect] * RESTARTS_MAX, KeyError("raised, not given"), defect, None)
    run_steadily(runs, place, tmp_path / "crashes", clock)
    assert runs.left == 0
    assert place.said == [*[STARTS_AGAIN] * RESTARTS_MAX, STAYS, STARTS_AGAIN]
    assert len(list((tmp_path / "crashes").iterdir())) == RESTARTS_MAX + 2
    with pytest.raises(SystemExit):  # the terminal is gone: whoever started the program hears of it
        run_steadily(Runs(*[defect] * 4), Place(clock), tmp_path / "crashes", clock)


@pytest.mark.parametrize("refusal", [DeskError("revoked", "It was revoked."), OSError(5, "gone")])
def test_what_a_new_start_cannot_help_ends_the_desk(refusal: Exception, tmp_path: Path) -> None:
    clock = StandingClock(NOW_MS)
    place = Place(clock)
    with pytest.raises(type(refusal)):
        run_steadily(Runs(ValueError(), refusal), place, tmp_path / "crashes", clock)
    assert place.said == [STARTS_AGAIN]


def test_crashes_that_are_long_ago_do_not_count() -> None:
    count = CrashCount()
    assert [count.may_restart(at_ms) for at_ms in (0, 1, 2, 3)] == [True, True, True, False]
    assert count.may_restart(WINDOW_MS - 1) is False
    assert count.may_restart(3 * WINDOW_MS) is True
    count.begin_anew()
    assert [count.may_restart(3 * WINDOW_MS) for _ in range(4)] == [True, True, True, False]


def test_a_report_has_kinds_and_places_and_neither_words_nor_values(tmp_path: Path) -> None:
    def deep(name: str, left: int) -> None:
        if left:
            deep(name, left - 1)
        raise LookupError(f"{name} is in no room")

    def fail() -> None:
        try:
            deep("Ottilie Canary", 90)
        except LookupError as error:
            raise RuntimeError("Ottilie Canary") from error

    with pytest.raises(RuntimeError) as crash:
        fail()
    report = crash_report(crash.value, NOW_MS)
    assert report.errors == ("RuntimeError", "LookupError")
    assert len(report.places) == FRAMES_MAX
    assert report.places[-1].startswith("test_steady.py:")
    assert report.at == "2026-09-21T06:58:00.000Z"
    assert report.program
    assert report.textual
    path = keep_report(tmp_path / "crashes", report)
    written = path.read_bytes()
    assert b"Canary" not in written
    assert len(written) < 8 * 1024
    assert msgspec.json.decode(written, type=CrashReport) == report
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_the_newest_reports_stay_whatever_the_clock_says(tmp_path: Path) -> None:
    for number in range(REPORTS_MAX + 5):
        keep_report(tmp_path, crash_report(ValueError(), NOW_MS - number))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == REPORTS_MAX
    assert names[-1] == f"crash-{REPORTS_MAX + 5:06}.json"


def test_a_disk_that_takes_no_report_stops_no_desk(tmp_path: Path) -> None:
    clock = StandingClock(NOW_MS)
    (tmp_path / "crashes").write_text("in the way", encoding="utf-8")
    place = Place(clock)
    run_steadily(Runs(ValueError(), None), place, tmp_path / "crashes", clock)
    assert place.said == [STARTS_AGAIN]


def test_the_bare_terminal_waits_for_enter_alone_and_keeps_nothing_that_is_typed() -> None:
    ours, theirs = pty.openpty()
    terminal = BareTerminal(theirs, theirs)
    terminal.say(STAYS)
    assert b"phone whoever looks after" in os.read(ours, 4096)
    os.set_blocking(theirs, False)
    terminal.wait(0.01)
    assert terminal.wait_for_enter() is False  # nothing comes from a terminal that is gone
    os.close(ours)
    os.close(theirs)
    terminal.say(STAYS)
    terminal.wait(0)
    assert terminal.wait_for_enter() is False
    assert f"{RESTART_S} seconds" in STARTS_AGAIN[1]
