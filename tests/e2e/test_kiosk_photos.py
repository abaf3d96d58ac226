"""Photos on terminals that draw: asked while keys are typed, drawn by their protocol, and gone with the question."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.widgets.face import HALF_BLOCK
from tests.support.drawing_terminal import KITTY, SILENT, SIXEL, DrawingTerminal

pytestmark = [pytest.mark.slow]

CELLS = 16 * 8
PROGRAM = "tests.support.kiosk_program"
BEFORE = "Before you check in Ana Silva"


@pytest.fixture
def glass(request: pytest.FixtureRequest) -> Iterator[DrawingTerminal]:
    opened = DrawingTerminal(request.param)
    yield opened
    opened.close()


def has_photo(glass: DrawingTerminal) -> bool:
    """One face, by what the terminal said it has; all of it."""
    drawn = {KITTY: len(glass.shown()) == len(glass.images) == 1, SIXEL: len(glass.sixels) == CELLS}
    return drawn.get(glass.answers, glass.text().count(HALF_BLOCK) == CELLS)


def has_none(glass: DrawingTerminal) -> bool:
    return not glass.images and not glass.sixels and HALF_BLOCK not in glass.text()


@pytest.mark.parametrize("glass", [KITTY, SIXEL, SILENT], ids=["kitty", "sixel", "silent"], indirect=True)
def test_a_photo_is_drawn_by_what_a_terminal_has_and_gone_with_the_question(
    glass: DrawingTerminal, tmp_path: Path
) -> None:
    glass.start(PROGRAM, "--photos", str(tmp_path))
    glass.until_text("● ONLINE")
    assert glass.was_asked
    glass.type("ana")
    glass.until(lambda: "Afonso" not in glass.text(), "the search")
    glass.type("\r")
    glass.until_text(BEFORE)
    glass.until(lambda: has_photo(glass), "the child's photo")
    glass.type("y")
    glass.until_text("Ana Silva checked in")
    glass.until(lambda: has_none(glass), "the question, and the photo with it, gone")
    glass.type("\r")
    glass.until_text("Before you check out")
    glass.type("y")
    glass.until_text("Who collects Ana Silva?")
    glass.type("\x1b[B")
    glass.until_text("Maria Silva  ")
    glass.until(lambda: has_photo(glass), "one photo, that of the mother")
    assert "+351 912 000 102" in glass.text()  # beside a face no number is cut in two
    if glass.answers == SIXEL:
        _it_crashes(glass, tmp_path)
    elif glass.answers == KITTY:
        _it_is_locked(glass)
        _it_is_killed(glass, tmp_path)
    else:
        _it_answers_late_and_no_key_is_lost(glass)


def _it_crashes(glass: DrawingTerminal, reports: Path) -> None:
    glass.type("\x1b[B")  # his photo breaks the screen
    glass.until_text("It starts again in 5 seconds.")
    assert has_none(glass)
    assert [each.name for each in reports.iterdir()]
    glass.signal(signal.SIGTERM)


def _it_is_locked(glass: DrawingTerminal) -> None:
    glass.signal(signal.SIGUSR1)
    glass.until_text("This desk is locked")
    glass.until(lambda: has_none(glass), "the photo gone before anybody unlocks")


def _it_is_killed(glass: DrawingTerminal, reports: Path) -> None:
    """A killed desk can take nothing away; the next one does, before it shows anything."""
    glass.type("\r483920\r")
    glass.until_text("Ana Silva")
    glass.type("\r")
    glass.until_text("Before you check out")
    glass.until(lambda: has_photo(glass), "the photo")
    glass.signal(signal.SIGKILL)
    glass.until_end()
    assert len(glass.shown()) == 1
    glass.start(PROGRAM, "--photos", str(reports))
    glass.until(lambda: glass.was_asked, "the question, behind the taking away")
    assert not glass.images


def _it_answers_late_and_no_key_is_lost(glass: DrawingTerminal) -> None:
    """In pieces, with keys between them: each arrives, no answer is typed, and the next face is drawn as it can be."""
    glass.type("\x1b")
    glass.until_text("nothing was recorded")
    glass.type("\x15")
    glass.until_text("Type part of a name")
    answers = re.findall(r"\x1b[_P].*?\x1b\\|\x1b\[.*?[a-z]", KITTY)
    for answer, key in zip(answers, "zoeb", strict=True):
        glass.type(answer[:5])
        glass.type(f"{answer[5:]}{key}")
    glass.until_text("zoeb ")
    glass.until_text("No child fits")
    glass.type("\x15")
    glass.until_text("Afonso Almeida")
    glass.type("ana")
    glass.until(lambda: "Afonso" not in glass.text(), "the search")
    glass.type("\r")
    glass.until(lambda: len(glass.shown()) == 1, "the photo as kitty draws it")
    glass.type("\x11")
    assert glass.until_end() == 0
    assert has_none(glass)
