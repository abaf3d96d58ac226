"""What a terminal says it can draw is taken out of what is typed, and nothing else is."""

import pytest

from kiosk.widgets.terminal_answers import Graphics, TerminalAnswers, sensible_cell
from kiosk.widgets.terminal_pictures import COLOURS_MAX, KITTY_QUERY_ID, CellSize

OK = f"\x1b_Gi={KITTY_QUERY_ID};OK\x1b\\"
NEW_KITTY = "\x1bP>|kitty(0.35.2)\x1b\\"
CELL = "\x1b[6;20;10t"
PLAIN, WITH_SIXEL = "\x1b[?62;c", "\x1b[?63;1;2;4;6;22c"
KEYS = "1Z\r\x1b[A\x1b[6~\x1bOP\x1b[97;5u\x1b[?2026;2$y\x1b[<0;3;4M\x1b[12;5R\x1bP ü\t"


def heard(*said: str) -> TerminalAnswers:
    answers = TerminalAnswers()
    assert [answers.sift(each) for each in said] == [""] * len(said)
    return answers


@pytest.mark.parametrize(
    ("said", "graphics"),
    [
        (OK + NEW_KITTY + CELL + PLAIN, Graphics.KITTY),
        (OK + "\x1bP>|ghostty 1.1.3\x1b\\" + PLAIN, Graphics.KITTY),
        (OK + "\x1bP>|kitty(0.26.5)\x1b\\" + PLAIN, Graphics.NONE),  # before placeholders
        (OK + "\x1bP>|WezTerm 20240203\x1b\\" + WITH_SIXEL, Graphics.SIXEL),  # speaks kitty's without placeholders
        (OK + "\x1bP>|Konsole 24\x1b\\" + PLAIN, Graphics.NONE),
        (f"\x1b_Gi={KITTY_QUERY_ID};EPERM:no\x1b\\" + NEW_KITTY + PLAIN, Graphics.NONE),
        ("\x1bP>|XTerm(379)\x1b\\\x1b[?1;0;1024S" + WITH_SIXEL, Graphics.SIXEL),
        ("\x1bP>|XTerm(379)\x1b\\\x1b[?1;3S\x1b[?64;1;2;6c", Graphics.NONE),
        (f"\x1b[?1;0;{COLOURS_MAX - 1}S" + WITH_SIXEL, Graphics.NONE),  # too few colours for a face
        ("\x1bP>|tmux 3.5a\x1b\\" + WITH_SIXEL, Graphics.NONE),  # draws a box where it cannot
        ("\x1b[?4c", Graphics.NONE),  # a VT132: the first number is who it is
        (OK + NEW_KITTY, Graphics.NONE),  # not all has been said yet
    ],
)
def test_a_terminal_draws_what_it_said_and_what_is_known_of_it(said: str, graphics: Graphics) -> None:
    assert heard(said).graphics is graphics


def test_keys_pass_wherever_an_answer_is_cut_and_whatever_is_typed_beside_it() -> None:
    said = OK + NEW_KITTY + CELL + "\x1b[?1;0;256S" + WITH_SIXEL
    for at in range(len(said) + 1):
        answers = TerminalAnswers()
        passed = answers.sift(KEYS + said[:at]) + answers.sift(said[at:] + KEYS)
        assert passed == KEYS + KEYS, repr(said[:at])
        assert (answers.graphics, answers.cell, answers.release()) == (Graphics.KITTY, CellSize(10, 20), "")
    one_by_one = TerminalAnswers()
    assert "".join([one_by_one.sift(letter) for letter in said + KEYS]) == KEYS
    assert one_by_one.is_done


def test_what_only_began_like_an_answer_is_given_back_when_nothing_follows() -> None:
    answers = TerminalAnswers()
    for key in ("\x1b", "\x1b_", "\x1bP", "\x1b[", "\x1b[6"):  # ESC, and letters with ALT
        assert answers.sift(key) == ""
        assert answers.release() == key
    assert answers.sift("\x1b") == ""
    assert answers.sift("a") == "\x1ba"
    answers.sift(PLAIN)
    assert answers.sift("\x1b") == "\x1b"  # nothing is waited for any more, and no key delayed
    assert answers.sift(OK) == ""  # an answer behind the last one is no key either


def test_an_answer_without_end_is_held_no_further_than_its_bound() -> None:
    answers = TerminalAnswers()
    endless = "\x1bP>|" + "x" * 200
    assert answers.sift(endless) == endless
    assert answers.release() == ""


@pytest.mark.parametrize(("width", "height"), [(0, 0), (3, 20), (10, 3), (129, 20), (10, 999)])
def test_a_cell_that_cannot_be_is_none(width: int, height: int) -> None:
    assert sensible_cell(width, height) is None
    assert heard(f"\x1b[6;{height};{width}t").cell is None
