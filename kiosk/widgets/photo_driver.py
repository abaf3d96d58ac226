"""The terminal of a desk: it is asked what it can draw, and draws photos; Textual's driver does everything else."""

import codecs
import fcntl
import os
import select
import struct
import termios
from collections.abc import Callable
from typing import Any, Final

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from kiosk.widgets.terminal_answers import QUESTIONS, Graphics, TerminalAnswers, sensible_cell
from kiosk.widgets.terminal_pictures import KITTY_IDS, CellSize, kitty_deleted, kitty_shown
from sync.pictures import Picture

TICK_S: Final = 0.1
READ_BYTES: Final = 4096
# Terminals that draw nothing and may show a question as letters.
_NEVER_ASKED: Final = ("linux", "dumb", "vt", "screen", "tmux")
_ERASED: Final = "\x1b[H\x1b[2J"

Overlay = Callable[[], str]
"""Gives what is to be written over the letters of a frame, now; empty when it is not to be seen any more."""


class PhotoDriver(LinuxDriver):
    """Asks when the terminal is Textual's already, so that an answer is never waited for and a key never taken for one.

    What it drew it takes away: with the face, when the screen ends or crashes, and, of a desk that was killed, when
    the next one begins.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._debugs = debug
        self._answers = TerminalAnswers()
        self._free = list(KITTY_IDS)
        self._overlays: list[Overlay] = []
        self._has_drawn = False

    @property
    def graphics(self) -> Graphics:
        """What the terminal said it can draw, until now."""
        return self._answers.graphics

    def cell_size(self) -> CellSize | None:
        """Pixels of a character as they are now, or None where nobody knows."""
        try:
            size = fcntl.ioctl(self.fileno, termios.TIOCGWINSZ, bytes(8))
        except OSError:
            size = bytes(8)
        rows, columns, width, height = struct.unpack("HHHH", size)
        return sensible_cell(width // max(columns, 1), height // max(rows, 1)) or self._answers.cell

    def draw(self, picture: Picture, *, columns: int, rows: int) -> int:
        """Give the terminal an image by kitty's protocol; its number, or 0 when there are too many."""
        if not self._free:
            return 0
        image_id = self._free.pop(0)
        self.write(kitty_shown(picture, image_id, columns=columns, rows=rows))
        return image_id

    def forget(self, image_id: int) -> None:
        """Take an image away."""
        if image_id not in self._free:
            self._free.append(image_id)
            self.write(kitty_deleted([image_id]))

    def lay_over(self, overlay: Overlay) -> None:
        """Write something over the frame that is being made, as soon as that is written."""
        if overlay not in self._overlays:
            self._overlays.append(overlay)

    def flush(self) -> None:
        """Textual does so behind each frame."""
        super().flush()
        overlays, self._overlays = self._overlays, []
        for words in filter(None, [overlay() for overlay in overlays]):
            self._has_drawn = True
            self.write(words)

    def start_application_mode(self) -> None:
        """Ask, and take away what a desk left that was killed; what an older terminal shows of it, the frame covers."""
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual's has no types
        if not os.environ.get("TERM", "dumb").startswith(_NEVER_ASKED):
            self.write(kitty_deleted(KITTY_IDS) + QUESTIONS)

    def stop_application_mode(self) -> None:
        """Leave no face behind: images outlive letters."""
        if self.graphics is Graphics.KITTY:
            self.write(kitty_deleted(KITTY_IDS))
        if self._has_drawn:
            self.write(_ERASED)
        super().stop_application_mode()

    def run_input_thread(self) -> None:
        """Read keys as Textual's driver does, with the answers of the terminal sifted out."""
        parser, decode = XTermParser(self._debugs), codecs.getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            ready, _, _ = select.select([self.fileno], [], [], TICK_S)
            read = os.read(self.fileno, READ_BYTES) if ready else b""
            if ready and not read:
                break  # nobody is at the other end any more
            self._take(parser, self._answers.sift(decode(read)) if read else self._answers.release())
        self._take(parser, self._answers.release())

    def _take(self, parser: XTermParser, text: str) -> None:
        for event in (*(parser.feed(text) if text else ()), *parser.tick()):
            self.process_message(event)


def photo_driver(app: App[Any]) -> PhotoDriver | None:
    """The driver of an app that shows itself on a terminal of its own; None in a browser and in tests."""
    driver = app._driver  # noqa: SLF001  Textual has no other way to its driver
    return driver if isinstance(driver, PhotoDriver) else None
