"""What the desks said during the demonstration, counted and shown as one line per event."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

VERBS: Final = {"check_in": "checked in", "check_out": "checked out"}


class Scoreboard:
    """Hears every line of every agent; counts what was recorded and what was confirmed, each event once."""

    def __init__(self, show: Callable[[str], None]) -> None:
        """`show` prints one line."""
        self.recorded: dict[str, str] = {}
        self.acknowledged: set[str] = set()
        self.refused: list[str] = []
        self.names: dict[str, str] = {}
        self._by_hand = 0
        self._show = show
        self._answers: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}
        self._links: dict[str, str] = {}

    def heard(self, desk: str, line: dict[str, Any]) -> None:
        """Take one line of one desk."""
        answer = self._answers.get((desk, str(line.get("id", ""))))
        if answer is not None and not answer.done():
            answer.set_result(line)
            return
        match line.get("event"):
            case "recorded":
                self._recorded(desk, line)
            case "confirmed":
                self._confirmed(desk, line)
            case "status":
                self._link_changed(desk, line)
            case "error":
                self.refused.append(str(line.get("message", "")))
                self._line(desk, f"refused: {line.get('message', '')}")

    def show_nothing(self) -> None:
        """Go on counting in silence: the terminal belongs to a screen now."""
        self._show = _ignore

    def expect(self, desk: str, answer_id: str) -> "asyncio.Future[dict[str, Any]]":
        """A future for the answer of `desk` that repeats this command id."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[desk, answer_id] = future
        return future

    def tell(self, desk: str, text: str) -> None:
        """Show something that happened to a desk."""
        self._line(desk, text)

    def by_hand(self, recorded: int) -> None:
        """A person recorded this many entries on a screen; an agent tells what became of each."""
        self._by_hand = recorded

    @property
    def recorded_count(self) -> int:
        """How many events the desks recorded."""
        return len(self.recorded) + self._by_hand

    @property
    def is_settled(self) -> bool:
        """Whether the server has confirmed every recorded event to the desk that recorded it."""
        return set(self.recorded) <= self.acknowledged and len(self.acknowledged) >= self.recorded_count

    def _recorded(self, desk: str, line: dict[str, Any]) -> None:
        self.recorded[line["event_id"]] = desk
        self._line(desk, f"{self._who(line)} {VERBS.get(line.get('kind', ''), '')} - recorded here")

    def _confirmed(self, desk: str, line: dict[str, Any]) -> None:
        self.acknowledged.add(line["event_id"])
        self._line(desk, f"{self._who(line)} - {line.get('mark', 'confirmed')} ({line.get('outcome', '')})")

    def _link_changed(self, desk: str, line: dict[str, Any]) -> None:
        link = str(line.get("link", ""))
        if link != "connecting" and self._links.get(desk) != link:
            self._links[desk] = link
            waiting = f", {line['waiting']} waiting" if line.get("waiting") else ""
            self._line(desk, f"{link.upper()}{waiting}")

    def _who(self, line: dict[str, Any]) -> str:
        child_id = str(line.get("child_id", ""))
        return self.names.get(child_id, str(line.get("child", child_id)))

    def _line(self, desk: str, text: str) -> None:
        self._show(f"{datetime.now(UTC).astimezone():%H:%M:%S}  {desk:<8} {text}")


def _ignore(_: str) -> None:
    """Show nothing."""
