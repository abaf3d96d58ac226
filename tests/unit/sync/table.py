"""A table of every state against every event: what a session answers in each cell, in a few letters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sync import effects as do
from sync.errors import ImpossibleTransition


def answer_of(deliver: Callable[[], Sequence[Any]]) -> str:
    """What came of one event: the effects by name, `close CODE`, `impossible` (our own defect) or `-` (nothing)."""
    try:
        effects = deliver()
    except ImpossibleTransition:
        return "impossible"
    return " + ".join(_name(effect) for effect in effects if not isinstance(effect, do.NotePhase)) or "-"


def _name(effect: Any) -> str:
    return f"close {effect.code.name}" if isinstance(effect, do.CloseLink) else type(effect).__name__


def table_of(
    states: Mapping[str, Callable[[], Any]], events: Mapping[str, Callable[[Any], Sequence[Any]]]
) -> dict[str, dict[str, str]]:
    """Deliver every event in every state, each to a session of its own."""

    def cell(make: Callable[[], Any], deliver: Callable[[Any], Sequence[Any]]) -> str:
        session = make()
        return answer_of(lambda: deliver(session))

    return {event: {state: cell(make, deliver) for state, make in states.items()} for event, deliver in events.items()}


def written(table: Mapping[str, Mapping[str, str]]) -> str:
    """The table as it stands in a test: for each event its commonest answer, and the states that answer otherwise."""
    lines = []
    for event, row in table.items():
        answers: dict[str, list[str]] = {}
        for state, answer in row.items():
            answers.setdefault(answer, []).append(state)
        commonest = max(answers, key=lambda answer: len(answers[answer]))
        lines.append(f"{event}: {commonest}")
        lines += [
            f"    {state}: {answer}" for answer, states in answers.items() if answer != commonest for state in states
        ]
    return "\n".join(lines) + "\n"
