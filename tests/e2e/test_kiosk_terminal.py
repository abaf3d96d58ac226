"""The kiosk's screen in a real terminal, driven by key presses, as a person at the desk would."""

from pathlib import Path

import pytest

from tests.support.terminal import Terminal, needs_tmux

pytestmark = [pytest.mark.slow, needs_tmux]


def test_a_morning_at_the_desk_with_the_keyboard_alone(terminal: Terminal) -> None:
    terminal.open(80, 24)
    first = terminal.until("● ONLINE")
    assert "Little Oaks Nursery" in first
    assert len(first.splitlines()) == 24
    terminal.type("goncalves")
    terminal.press("Enter")
    terminal.until("Inês Gonçalves checked in 07:58 – recorded here")
    terminal.press("Enter")
    terminal.until("Who collects Inês Gonçalves?")
    terminal.press("Down", "Enter")
    terminal.until("How do you know that this is Teresa Lopes?")
    terminal.press("2")
    terminal.until("Inês Gonçalves checked out 07:58 – recorded here")
    terminal.until("2 waiting")
    terminal.press("?")
    terminal.until("KEYS")
    terminal.press("End")
    terminal.until("WITHOUT A NETWORK")
    terminal.press("Enter")
    terminal.until("● ONLINE, 2 waiting")
    terminal.press("C-q")
    terminal.until("ended with 0")


def test_who_may_not_collect_is_stopped(terminal: Terminal) -> None:
    terminal.open(80, 24)
    terminal.until("● ONLINE")
    terminal.type("ana")
    terminal.press("Enter")
    terminal.until("Court order")
    terminal.press("y")
    terminal.until("Ana Silva checked in")
    terminal.press("Enter")
    terminal.until("Before you check out Ana Silva")
    terminal.press("y")
    terminal.until("✗ João Pinto – MAY NOT COLLECT")
    terminal.type("j")
    terminal.until("j is close to João Pinto")
    terminal.type("oao pinto")
    terminal.until("STOP: João Pinto may not collect")
    terminal.press("Enter")
    terminal.until("STOP: João Pinto may not collect")
    terminal.press("Escape")
    terminal.until("nothing was recorded for Ana Silva")


def test_a_crash_shows_calm_words_and_the_desk_comes_back_by_itself(terminal: Terminal, tmp_path: Path) -> None:
    terminal.open(80, 24, "tests.support.kiosk_program", "--defective", str(tmp_path), "1")
    screen = terminal.until("It starts again in 5 seconds.")
    assert "Nothing that was recorded is lost." in screen
    assert "Traceback" not in screen
    assert "Canary" not in screen
    terminal.type("483920")  # a PIN that was begun is neither shown nor typed into what comes next
    assert "483920" not in terminal.until("● ONLINE")
    terminal.type("goncalves")
    terminal.press("Enter")
    terminal.until("Inês Gonçalves checked in 07:58 – recorded here")
    terminal.press("C-q")
    terminal.until("ended with 0")
    written = [*(tmp_path / "crashes").glob("crash-*.json"), tmp_path / "kiosk.log"]
    assert len(written) == 2
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert "RuntimeError" in text
        assert "subscribe" in text
        assert "Canary" not in text


def test_a_tiny_terminal_still_finds_a_child(terminal: Terminal) -> None:
    terminal.open(20, 5)
    terminal.until("● ONLINE")
    terminal.type("zoe")
    assert len(terminal.until("○ Zoë Brandão").splitlines()) == 5
    terminal.run("resize-window", "-t", "kiosk", "-x", "100", "-y", "30")
    terminal.until("Little Oaks Nursery")


def test_a_very_long_paste_leaves_the_screen_as_it_was(terminal: Terminal) -> None:
    terminal.open(80, 24)
    terminal.until("● ONLINE")
    terminal.run("set-buffer", "-b", "long", "x" * 10_000)
    terminal.run("paste-buffer", "-p", "-b", "long", "-t", "kiosk")
    terminal.until("No child fits")
    terminal.press("Escape")
    terminal.until("Afonso Almeida")
