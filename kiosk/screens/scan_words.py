"""Where a scan goes when something else is on top of the roster, and what is said of one that has to wait."""

from collections.abc import Sequence
from typing import Any, Final

from textual.screen import ModalScreen, Screen

from kiosk.screens.collect import CollectScreen
from kiosk.screens.port import CounterPort
from kiosk.screens.unlock import UnlockScreen
from kiosk.services.errors import DeskError
from kiosk.services.scan_queue import ScanQueue
from kiosk.widgets.quiet_line import QuietLine

NEXT: Final = "Scanned: it comes next, once this is answered."
NOT_HERE: Final = "! A card was scanned; ESC goes back to the roster, then scan it again."
TOO_MANY: Final = "! Too many scans at once; scan the last one again."
TOO_OLD: Final = "A card was scanned while something else was asked; scan it again."


def hear_over(queue: ScanQueue, code: str, now_ms: int, over: Sequence[Screen[Any]]) -> bool:
    """Let a scan wait for the roster, with `over` on top of it; False when somebody else took it or it cannot wait."""
    if any(not isinstance(each, ModalScreen) for each in over):
        top = over[-1]
        if isinstance(top, UnlockScreen):
            top.hear_scan()
        else:
            _tell(top, NOT_HERE)
        return False
    is_waiting = queue.add(code, now_ms)
    if over:
        _tell(over[-1], NEXT if is_waiting else TOO_MANY)
    return is_waiting


def offer(screen: CollectScreen, counter: CounterPort, code: str) -> None:
    """Let a scan name who collects."""
    try:
        screen.take_scan(counter.scan(code))
    except DeskError as refusal:
        screen.warn(refusal.message)


def _tell(screen: Screen[Any], sentence: str) -> None:
    for line in screen.query("#page-note, #dialog-note").results(QuietLine):
        line.say(sentence)
