"""Who collects: the people a child may leave with, those it may not, and a line for somebody else's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, OptionList
from textual.widgets.option_list import Option

from kiosk.screens.fitting import fit
from kiosk.services.counter import Scanned
from kiosk.services.desk import Collector
from kiosk.services.roster import NOT_TODAY, is_blocked
from kiosk.widgets.alert_lines import AlertLines
from kiosk.widgets.face import Face, Gallery, nobody, side_for
from kiosk.widgets.pointed_list import PointedList
from kiosk.widgets.quiet_line import QuietLine
from sync.records import AlertRecord
from sync.resemblance import Resemblance, resemblance

ADULT_NAME_CHARACTERS_MAX: Final = 80
# By the style sheet: how wide a question is, what its frame takes, and the gap before a face.
_DIALOG_CELLS: Final = 76
_FRAME_CELLS: Final = 6
_GAP_CELLS: Final = 2


@dataclass(frozen=True)
class Question:
    """Who leaves (their names), what must be seen of them, who may collect all of them, and a word about the list.

    `child_id` is the one who leaves, or the first of them. `nobody_note` is said where nobody of the list may collect.
    """

    names: str
    alerts: Sequence[AlertRecord]
    collectors: Sequence[Collector]
    list_note: str = ""
    child_id: str = ""
    nobody_note: str = "Nobody on this list may collect. Ask the manager before anybody does."


@dataclass(frozen=True)
class Collection:
    """The answer: an adult of the list by id, or a typed name.

    `near` is the name of the blocked adult that a typed one is close to. `is_refused`: the child stays. `method`: by
    what the adult was found, when their family code or card was read here.
    """

    adult_id: str = ""
    adult_name: str = ""
    near: str = ""
    is_refused: bool = False
    method: str = ""


class CollectScreen(ModalScreen[Collection | None]):
    """Nobody is chosen at first, so that a held ENTER key can never hand over a child."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("tab", "app.focus_next", "List / Other adult"),
        Binding("f8", "refuse", "Do not release", priority=True),
    ]

    def __init__(self, question: Question, gallery: Gallery = nobody) -> None:
        super().__init__()
        self._gallery = gallery
        self._question = question
        self._collectors = sorted(question.collectors, key=_order)
        self._warned_of = ""
        self._said_of_scan = ""
        self._line_cells = 0

    def compose(self) -> ComposeResult:
        """List, other adult, warning."""
        people = (self._question.child_id, *(each.adult_id for each in self._collectors))
        has_face = any(self._gallery(each) is not None for each in people)
        side = side_for(self.app.size.height) + _GAP_CELLS if has_face else 0
        self._line_cells = min(self.app.size.width, _DIALOG_CELLS) - _FRAME_CELLS - side
        with Vertical(id="dialog"):
            yield QuietLine(id="dialog-title")
            yield AlertLines(self._question.alerts)
            yield QuietLine(id="list-note")
            with Horizontal(classes="beside"):
                yield PointedList(*(self._option(each) for each in self._collectors), id="collectors")
                yield Face(id="face")
            yield Input(
                placeholder="Other adult: type the full name, then ENTER",
                max_length=ADULT_NAME_CHARACTERS_MAX,
                compact=True,
                select_on_focus=False,
                id="other-adult",
            )
            yield QuietLine(id="dialog-note")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Start on the list, or on the other adult when there is no list."""
        fit(self)
        self.query_one("#dialog-title", QuietLine).say(f"Who collects {self._question.names}?")
        self.query_one("#list-note", QuietLine).say(self._question.list_note)
        self.query_one("#list-note").display = bool(self._question.list_note)
        people = self.query_one(OptionList)
        people.highlighted = None
        if (picture := self._gallery(self._question.child_id)) is not None:
            self.query_one(Face).show(self._question.names, picture)
        if not all(is_blocked(each) for each in self._collectors):
            people.focus()
            self._say("↑ ↓ choose, then ENTER. Check that this is the person.")
        else:
            self.query_one(Input).focus()
            self._say(self._question.nobody_note)

    @on(OptionList.OptionHighlighted)
    def collector_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show who is under the cursor; the list says so once before it is told that nobody is."""
        if event.option_list.highlighted == event.option_index:
            event.option_list.scroll_visible(top=True, animate=False)  # nobody is chosen out of sight
            self._show_face(self._collectors[event.option_index])

    @on(OptionList.OptionSelected)
    def collector_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with an adult of the list."""
        chosen = self._collectors[event.option_index]
        if not is_blocked(chosen):
            self.dismiss(Collection(adult_id=chosen.adult_id, adult_name=chosen.name))

    @on(Input.Changed)
    def name_changed(self, event: Input.Changed) -> None:
        """Warn while the name is typed, not after."""
        event.stop()
        found, blocked = self._closest_blocked(event.value)
        if blocked:
            self._show_face(blocked)
        if blocked and found is Resemblance.SAME:
            self._say(_stop_sentence(blocked), "-stop")
        elif blocked:
            words = f"{event.value.strip()} is close to {blocked.name}, who {_may_not(blocked)}"
            self._say(f"! {words}. Check photo ID.", "-stop")
        elif event.value.strip():
            self._say("ENTER goes on with this adult.")
        else:
            self._say(self._said_of_scan, "-stop" if self._said_of_scan else "")

    @on(Input.Submitted)
    def name_submitted(self, event: Input.Submitted) -> None:
        """Answer with a typed name; never with a blocked one, and with a near one only when asked twice."""
        event.stop()
        name = " ".join(event.value.split())
        found, blocked = self._closest_blocked(name)
        if not name:
            self._say("Type the full name of the adult who collects.")
        elif blocked and found is Resemblance.SAME:
            self._say(_stop_sentence(blocked), "-stop")
        elif blocked and self._warned_of != name:
            self._warned_of = name
            words = f"Close to {blocked.name}, who {_may_not(blocked)}"
            self._say(f"! {words}. ENTER again only if it is not {blocked.name}.", "-stop")
        else:
            near = blocked.name if blocked else ""
            self.dismiss(self._collection_of(name, near))

    def take_scan(self, scanned: Scanned) -> None:
        """Answer with the adult whose code or card was read, unless blocked or on nobody's list."""
        wanted = scanned.adult_id
        chosen = next((each for each in self._collectors if each.adult_id == wanted and not is_blocked(each)), None)
        if not wanted:
            self.warn("This is a child's card: it says nothing of who collects.")
        elif chosen is None:
            self.warn("The adult of this code may not collect here. Ask the manager.")
        else:
            self.dismiss(Collection(adult_id=chosen.adult_id, adult_name=chosen.name, method=scanned.method))

    def warn(self, sentence: str) -> None:
        """Say why a code was not taken, also once its letters are out of the field where they landed."""
        self._said_of_scan = f"! {sentence}"
        self._say(self._said_of_scan, "-stop")

    def on_key(self, event: events.Key) -> None:
        """Letters typed on the list begin the name of another adult."""
        if event.is_printable and event.character and isinstance(self.focused, OptionList):
            event.stop()
            other = self.query_one(Input)
            other.focus()
            other.insert_text_at_cursor(event.character)

    def action_refuse(self) -> None:
        """The child stays here; who wanted it and why is asked next."""
        self.dismiss(Collection(adult_name=" ".join(self.query_one(Input).value.split()), is_refused=True))

    def action_cancel(self) -> None:
        """Go back; nothing is recorded."""
        self.dismiss(None)

    def _show_face(self, collector: Collector) -> None:
        """In a question about somebody who has a picture; the others are shown by their initials."""
        face, picture = self.query_one(Face), self._gallery(collector.adult_id)
        if picture is not None or face.shown:
            face.show(_name_of(collector), picture)

    def _collection_of(self, name: str, near: str) -> Collection:
        """A typed name that stands on the list is that adult."""
        for each in self._collectors:
            if not is_blocked(each) and resemblance(name, each.name) is Resemblance.SAME:
                return Collection(adult_id=each.adult_id, adult_name=each.name)
        return Collection(adult_name=name, near=near)

    def _closest_blocked(self, name: str) -> tuple[Resemblance, Collector | None]:
        """The blocked adult whose name is closest; of two alike, the one who may never collect."""
        blocked = [each for each in reversed(self._collectors) if is_blocked(each)]
        for wanted in (Resemblance.SAME, Resemblance.NEAR):
            for each in blocked:
                if resemblance(name, each.name) is wanted:
                    return wanted, each
        return Resemblance.NONE, None

    def _option(self, collector: Collector) -> Option:
        if is_blocked(collector):
            words = "not today" if collector.status == NOT_TODAY else "MAY NOT COLLECT"
            return Option(Content(f"✗ {_name_of(collector)} – {words}"), disabled=True)
        details = (
            collector.relationship,
            collector.status if collector.status == "temporary" else "",
        )
        words = " · ".join([f"  {_name_of(collector)}", *filter(None, details)])
        return Option(Content(_with_phone(words, collector.phone, self._line_cells)))

    def _say(self, sentence: str, state: str = "") -> None:
        note = self.query_one("#dialog-note", QuietLine)
        note.say(sentence)
        note.set_class(state == "-stop", "-stop")


def _with_phone(words: str, phone: str, cells: int) -> str:
    """The number behind the words, or below them: it is dialled as it is read, and never cut in two."""
    if not phone:
        return words
    line = f"{words} · {phone}"
    return line if cell_len(line) <= cells else f"{words}\n    {phone}"


def _order(collector: Collector) -> int:
    """Who may collect first, who may on other days next, who may never last."""
    return (2 - (collector.status == NOT_TODAY)) * is_blocked(collector)


def _may_not(collector: Collector) -> str:
    return "may not collect today" if collector.status == NOT_TODAY else "may not collect"


def _name_of(collector: Collector) -> str:
    return collector.name or "(name not received yet)"


def _stop_sentence(collector: Collector) -> str:
    return f"! STOP: {collector.name} {_may_not(collector)}. Keep the child here and call the manager."
