"""The line that answers the last key press: what was recorded and how far it came, or what to do instead."""

from kiosk.messages import Mark
from kiosk.services.desk import Recorded
from kiosk.widgets.quiet_line import QuietLine
from kiosk.widgets.wording import DONE_WORDS, MARK_SYMBOLS


class ResultLine(QuietLine):
    """Shows one sentence; a newer one replaces it."""

    def __init__(self) -> None:
        super().__init__(id="result")
        self._recorded: Recorded | None = None
        self._sentence = ""

    @property
    def event_id(self) -> str:
        """The event that the line is about; empty when it is about none."""
        return self._recorded.event_id if self._recorded else ""

    def show_recorded(self, recorded: Recorded, at: str) -> None:
        """Say what was just recorded; `at` is the centre's time, `07:58`."""
        self._recorded = recorded
        done = DONE_WORDS.get(recorded.kind, "recorded")
        self._sentence = f"{recorded.child_name} {done} {at}"
        self.show_mark(Mark.RECORDED)

    def show_mark(self, mark: Mark) -> None:
        """Say how far the entry on this line has come."""
        words = f"{MARK_SYMBOLS.get(mark, '')} {self._sentence} – {mark.value}"
        self._show(words.strip(), f"-{mark.name.lower()}")

    def show_note(self, sentence: str) -> None:
        """Say something calm that is no error."""
        self._recorded = None
        self._show(sentence, "-note")

    def show_problem(self, sentence: str) -> None:
        """Say what did not happen and what to do."""
        self._recorded = None
        self._show(f"! {sentence}", "-problem")

    def _show(self, text: str, state: str) -> None:
        self.say(text)
        self.set_classes(state)
