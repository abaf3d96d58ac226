"""The line that answers the last key press: what was recorded and how far it came, or what to do instead."""

from collections.abc import Collection, Sequence
from typing import Final

from rich.cells import cell_len

from kiosk.messages import Mark
from kiosk.services.desk import Recorded
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import DONE_WORDS, MARK_SYMBOLS

FRESH: Final = "-fresh"


class ResultLine(QuietLine):
    """Shows one sentence, on as many lines as it takes; a newer one replaces it, and the trouble below it.

    A tiny screen has room for it only while it is fresh, which is until somebody types again.
    """

    def __init__(self) -> None:
        super().__init__(id="result")
        self._marks: dict[str, Mark] = {}
        self._child_ids: dict[str, str] = {}  # by event
        self._sentence = ""
        self._answer = ""
        self._undo = ""
        self._trouble = ""
        self._rows = 1

    @property
    def event_ids(self) -> frozenset[str]:
        """The events that the line is about; none when it is about none."""
        return frozenset(self._marks)

    def show_recorded(self, recorded: Sequence[Recorded], at: str) -> None:
        """Say what was just recorded, together; `at` is the centre's time, `07:58`."""
        self._marks, self._trouble = {one.event_id: Mark.RECORDED for one in recorded}, ""
        self._child_ids = {one.event_id: one.child_id for one in recorded}
        done = DONE_WORDS.get(recorded[0].kind, "recorded")
        self._sentence = f"{_names(recorded)} {done} {at}"
        self._show_marks()

    def show_mark(self, event_id: str, mark: Mark) -> None:
        """Say how far an entry of this line has come; of several the one that came least far counts."""
        if event_id in self._marks:
            self._marks[event_id] = mark
            self._show_marks()

    def show_settled(self, child_ids: Collection[str]) -> None:
        """Nothing is asked of these children any more: what needed a review is known to be stored."""
        for event_id, mark in self._marks.items():
            if mark is Mark.NEEDS_REVIEW and self._child_ids[event_id] in child_ids:
                self.show_mark(event_id, Mark.CONFIRMED)

    def show_undo(self, left_ms: int | None) -> None:
        """Say for how long yet the entry can be taken back; None: not any more."""
        self._undo = "" if left_ms is None or not self._marks else f"F4 undo {-(-left_ms // 1_000)} s"
        self._say_all()

    def _show_marks(self) -> None:
        mark = min(self._marks.values(), key=_ORDER.index)
        words = f"{MARK_SYMBOLS.get(mark, '')} {self._sentence} – {mark.value}"
        self._show(words.strip(), f"-{mark.name.lower()}")

    def show_note(self, sentence: str) -> None:
        """Say something calm that is no error."""
        self._marks, self._trouble = {}, ""
        self._show(sentence, "-note")

    def show_problem(self, sentence: str) -> None:
        """Say what did not happen and what to do."""
        self._marks, self._trouble = {}, ""
        self._show(f"! {sentence}", "-problem")

    def show_trouble(self, sentence: str) -> None:
        """Say what went wrong beside it, in a line below: what was recorded stays in sight."""
        self._trouble = sentence
        self._say_all()
        self.add_class(FRESH)

    def make_room(self) -> None:
        """It was read: a tiny screen needs its place for the list."""
        self.remove_class(FRESH)

    def _show(self, text: str, state: str) -> None:
        self._answer, self._undo = text, ""
        self._say_all()
        self.set_classes([state, FRESH])

    def _say_all(self) -> None:
        width = max(self.content_size.width, 1)
        beside = f"{self._answer}   {self._undo}" if self._undo else self._answer
        fits = cell_len(beside) <= width
        lines = [beside, self._trouble] if fits else [self._answer, self._trouble, self._undo]
        if self._trouble and self.screen.has_class("-tiny"):
            lines = [self._trouble]  # it has room for two short lines, and what was recorded stands in the list
        said = list(filter(None, lines))
        self.say("\n".join(said))
        rows = sum(-(-cell_len(line) // width) for line in said)
        if rows != self._rows:  # it is as high as its words; the rest of the screen is laid out anew only then
            self._rows = rows
            self.refresh(layout=True)


_ORDER: Final = (Mark.NEEDS_REVIEW, Mark.RECORDED, Mark.NONE, Mark.CONFIRMED)


def _names(recorded: Sequence[Recorded]) -> str:
    names = [one.child_name for one in recorded]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
