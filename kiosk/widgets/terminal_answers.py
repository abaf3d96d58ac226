"""What a terminal says it can draw, sifted out of what is typed at it. Pure: text in, text out.

A terminal answers on the line on which keys come. So nothing is read for an answer: all that comes is let through to
whoever reads keys, but for what no key can send. A terminal that answers nothing costs nobody anything.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kiosk.widgets.terminal_pictures import COLOURS_MAX, KITTY_QUERY_ID, CellSize

# In this order, and terminals answer in order: whoever can draw by kitty's protocol, who it is, how large a cell is in
# pixels, how many colours sixel has; and last what every terminal answers, so that nobody waits for the others.
# https://sw.kovidgoyal.net/kitty/graphics-protocol/, https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
QUESTIONS: Final = f"\x1b_Gi={KITTY_QUERY_ID},s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>q\x1b[16t\x1b[?1;1;0S\x1b[c"
# Bounds of what is believed: no cell is smaller or larger, and no name longer.
CELL_PIXELS: Final = range(4, 129)
ANSWER_CHARACTERS_MAX: Final = 128
# Multiplexers stand between: they may claim sixel and draw a box instead.
_BETWEEN: Final = ("tmux", "screen", "zellij")
# Placeholders, by which an image is text and goes with text, came with this version of kitty.
_KITTY_SINCE: Final = (0, 28)
_SIXEL: Final = "4"
_ANSWER: Final = re.compile(
    rf"\x1b_Gi={KITTY_QUERY_ID};(?P<kitty>[^\x1b]{{0,{ANSWER_CHARACTERS_MAX}}})\x1b\\"
    rf"|\x1bP>\|(?P<name>[^\x1b]{{0,{ANSWER_CHARACTERS_MAX}}})\x1b\\"
    r"|\x1b\[6;(?P<height>\d{1,5});(?P<width>\d{1,5})t"
    r"|\x1b\[\?1;(?P<state>\d{1,3})(?:;(?P<colours>\d{1,9}))?(?:;\d{1,9})*S"
    rf"|\x1b\[\?(?P<attributes>[\d;]{{1,{ANSWER_CHARACTERS_MAX}}})c"
)
# The end of a text that may yet become one of these; also ESC alone, which a person may have pressed.
_BEGUN: Final = re.compile(
    rf"\x1b(?:_(?:G[^\x1b]{{0,{ANSWER_CHARACTERS_MAX}}}\x1b?)?|P(?:>(?:\|[^\x1b]{{0,{ANSWER_CHARACTERS_MAX}}}\x1b?)?)?"
    rf"|\[(?:6(?:;[\d;]{{0,11}})?|\?[\d;]{{0,{ANSWER_CHARACTERS_MAX}}})?)?\Z"
)


class Graphics(StrEnum):
    """How a terminal draws pictures."""

    NONE = "none"
    KITTY = "kitty"
    SIXEL = "sixel"


@dataclass
class TerminalAnswers:
    """Gathers the answers to `QUESTIONS`; a terminal that has not answered the last of them draws nothing."""

    graphics: Graphics = Graphics.NONE
    is_done: bool = False
    cell: CellSize | None = None
    _held: str = field(default="", repr=False)
    _kitty: str = ""
    _name: str = ""
    _colours: int = COLOURS_MAX

    def sift(self, text: str) -> str:
        """Give what was typed: the same text without answers, and without an end that may become one."""
        text = _ANSWER.sub(self._hear, self._held + text)
        self._held = ""
        begun = None if self.is_done else _BEGUN.search(text)
        if begun is not None:
            self._held, text = text[begun.start() :], text[: begun.start()]
        return text

    def release(self) -> str:
        """Give what was held when nothing came behind it: it was a key."""
        held, self._held = self._held, ""
        return held

    def _hear(self, answer: re.Match[str]) -> str:
        said = answer.groupdict()
        if said["kitty"] is not None:
            self._kitty = said["kitty"]
        elif said["name"] is not None:
            self._name = said["name"].lower()
        elif said["width"] is not None:
            self.cell = sensible_cell(int(said["width"]), int(said["height"]))
        elif said["colours"] is not None and said["state"] == "0":
            self._colours = int(said["colours"])
        elif said["attributes"] is not None:
            self.is_done = True
            self.graphics = self._judged(said["attributes"].split(";"))
        return ""

    def _judged(self, attributes: list[str]) -> Graphics:
        if self._name.startswith(_BETWEEN):
            return Graphics.NONE
        if self._kitty == "OK" and _draws_in_text(self._name):
            return Graphics.KITTY
        if _SIXEL in attributes[1:] and self._colours >= COLOURS_MAX:
            return Graphics.SIXEL
        return Graphics.NONE


def sensible_cell(width: int, height: int) -> CellSize | None:
    """A cell's size in pixels, or None when it is none that is known of a terminal (0: it does not know)."""
    return CellSize(width, height) if width in CELL_PIXELS and height in CELL_PIXELS else None


def _draws_in_text(name: str) -> bool:
    """Whether it knows kitty's placeholders; others speak the protocol without them, and would show blanks."""
    version = re.match(r"kitty\((\d+)\.(\d+)", name)
    if version is not None:
        return (int(version[1]), int(version[2])) >= _KITTY_SINCE
    return name.startswith("ghostty")
