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


def test_a_defect_ends_in_a_calm_sentence_and_the_cause_is_in_the_log_file(terminal: Terminal, tmp_path: Path) -> None:
    log = tmp_path / "kiosk.log"
    terminal.open(80, 24, "tests.support.kiosk_program", "--defective", str(log))
    screen = terminal.until("ended with 1")
    assert "Everything recorded is safe on this desk." in screen
    assert "Traceback" not in screen
    assert "Canary" not in screen
    logged = log.read_text(encoding="utf-8")
    assert "screen_stopped" in logged
    assert "RuntimeError" in logged
    assert "Canary" not in logged


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
