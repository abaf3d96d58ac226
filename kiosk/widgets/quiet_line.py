"""A line of plain text that repaints only when its words change, and never moves its neighbours."""

from textual.widgets import Static


class QuietLine(Static):
    """Fixed in size by the style sheet; text is shown as it is, never read as mark-up."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002  Textual's name
        super().__init__(id=id, classes=classes, markup=False)
        self._words = ""

    def say(self, words: str) -> None:
        """Show these words."""
        if words != self._words:
            self._words = words
            self.update(words, layout=False)
