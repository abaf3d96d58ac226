"""The table of how presence is decided, followed a second time: slowly, over plain dicts, sharing no code with it.

Where the fold goes through the events once and keeps a state, this looks at the whole again and again: first which
voids, corrections and answers act, then what each event says in the end, then the visits from an arrival to whatever
ends it, then the rooms, then what the records beside the events say (`naive_circumstances`), then what was answered.
"""

from collections.abc import Iterable
from typing import Any

from sync.attendance_events import Fact
from tests.unit.sync.naive_circumstances import NOTHING, Around, asked, ended

TEN_MINUTES_MS = 600_000
ROLE = {
    "check_in": "come", "staff_in": "come", "visitor_in": "come",
    "check_out": "go", "staff_out": "go", "visitor_out": "go",
    "room_move": "move", "staff_move": "move",
    "auto_close": "close",
}  # fmt: skip

Row = dict[str, Any]
Question = tuple[str, tuple[str, ...]]


def decide(facts: Iterable[Fact], around: Around = NOTHING) -> dict[str, Any]:
    """Stays, findings, answers and absences that ended, as plain values."""
    rows = _each_once([_row(fact) for fact in facts])
    acting = _acting([row for row in rows if row["is_act"]])
    acts = [{**act, "about": _about(act, acting, rows)} for act in acting]
    rows = _as_meant([row for row in rows if not row["is_act"]], acting)
    stays, questions = _visits([row for row in rows if row["role"] in ("come", "go", "close")])
    questions += _rooms(stays, rows)
    questions += asked(rows, stays, acts, around)
    questions += [("released_by_override", (row["id"],)) for row in rows if _is_forced(row)]
    disputed = [row for row in rows if row["disputed"] is not None]
    questions += [("disputed_by_guardian", (*row["disputed"], row["id"])) for row in disputed]
    answers = sorted((row["finding"], row["answer"], row["id"]) for row in acting if row["kind"] == "review_resolved")
    closed = {finding for finding, _, _ in answers}
    return {
        "stays": [_told(stay) for stay in stays],
        "findings": sorted(each for each in questions if ":".join([each[0], *sorted(each[1])]) not in closed),
        "answers": answers,
        "ended": ended(stays, around),
    }


def shown(attendance: Any) -> dict[str, Any]:
    """What the fold said, in the same plain values."""
    return {
        "stays": [
            {
                "in": stay.check_in.event.event_id if stay.check_in else "",
                "out": stay.check_out.event.event_id if stay.check_out else "",
                "start": stay.started_at_ms,
                "end": stay.ended_at_ms,
                "same": list(stay.corroborated_by),
                "disputed": stay.disputed,
                "assumed": stay.assumed,
                "rooms": [(room.since_ms, room.room_id) for room in stay.rooms],
            }
            for stay in attendance.stays
        ],
        "findings": sorted((str(finding.kind), finding.event_ids) for finding in attendance.findings),
        "answers": sorted((each.finding, each.answer, each.event_id) for each in attendance.answers),
        "ended": sorted(attendance.ended_absences),
    }


# -- what each event says in the end


def _row(fact: Fact) -> Row:
    event = fact.event
    at_ms, off_ms = event.occurred_at_ms, event.clock_offset_ms or 0
    if at_ms == event.recorded_at_ms and not -2_000 <= off_ms <= 2_000:
        at_ms += off_ms
    return {
        "id": event.event_id,
        "kind": str(event.kind),
        "is_act": event.kind in ("void", "correct", "review_resolved"),
        "role": ROLE.get(event.kind, ""),
        "at": at_ms,
        "ahead": event.occurred_at_ms - event.recorded_at_ms,
        "entered": event.recorded_at_ms,
        "tie": (fact.hlc, fact.device_id, fact.incarnation, fact.seq, event.event_id),
        "desk": fact.device_id,
        "adult": (event.adult_id, event.adult_name.strip().casefold()),
        "room": event.to_room_id or event.room_id,
        "names": list(event.supersedes),
        "says": event.corrected,
        "finding": event.finding,
        "answer": event.answer,
        "left": event.left_at_ms,
        "disputed": list(event.confirms) if event.disputes else None,
        "suspect": event.clock_suspect,
        "staff": event.staff_id,
        "why": event.reason_code,
        "is_answer": False,
    }


def _is_forced(row: Row) -> bool:
    return bool(row["kind"] == "check_out" and row["why"] == "override")


def _about(act: Row, acting: list[Row], rows: list[Row]) -> list[int]:
    """The moments of what an act is about, and of what it says."""
    names = _reach(act, acting) if act["says"] is not None else set(act["names"])
    moments = [row["at"] for row in rows if row["id"] in names and not row["is_act"]]
    said = (act["left"], act["says"].occurred_at_ms if act["says"] is not None else None)
    return moments + [at_ms for at_ms in said if at_ms is not None]


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["at"], *row["tie"]))


def _each_once(rows: list[Row]) -> list[Row]:
    first: dict[str, Row] = {}
    for row in reversed(_in_order(rows)):
        first[row["id"]] = row
    return _in_order(list(first.values()))


def _acting(acts: list[Row]) -> list[Row]:
    fate: dict[str, bool] = {}
    while len(fate) < len(acts):
        before = len(fate)
        for row in acts:
            against = [other for other in acts if _takes_away(other, row, acts)]
            if row["id"] in fate:
                continue
            if any(fate.get(other["id"]) for other in against):
                fate[row["id"]] = False
            elif all(fate.get(other["id"]) is False for other in against):
                fate[row["id"]] = True
        if len(fate) == before:
            fate[[row["id"] for row in acts if row["id"] not in fate][-1]] = True
    return [row for row in acts if fate[row["id"]]]


def _takes_away(act: Row, other: Row, acts: list[Row]) -> bool:
    if act["says"] is None and other["id"] in act["names"]:
        return True
    both_answer = act["kind"] == other["kind"] == "review_resolved" and act["finding"] == other["finding"]
    return both_answer and acts.index(act) > acts.index(other)


def _as_meant(rows: list[Row], acting: list[Row]) -> list[Row]:
    gone = [name for act in acting if act["says"] is None for name in act["names"]]
    rows = [row for row in rows if row["id"] not in gone]
    for act in acting:
        if act["says"] is not None:
            _rewrite([row for row in rows if row["id"] in _reach(act, acting)], act["says"], act["entered"])
    for act in acting:
        if act["left"] is not None:
            tie = (act["tie"][0], "", *act["tie"][2:])
            more = {"tie": tie, "desk": None, "ahead": 0, "is_answer": True}
            rows.append({**act, "role": "go", "at": act["left"], **more})
    return _in_order(rows)


def _reach(act: Row, acting: list[Row]) -> set[str]:
    names, grown = set(act["names"]), True
    while grown:
        through = [other for other in acting if other["id"] in names and other["says"] is not None]
        more = {name for other in through for name in other["names"]}
        grown = not more <= names
        names |= more
    return names


def _rewrite(rows: list[Row], says: Any, entered_ms: int) -> None:
    for row in rows:
        if says.occurred_at_ms is not None:
            row.update(at=says.occurred_at_ms, ahead=says.occurred_at_ms - entered_ms, suspect=False)
        if says.room_id:
            row["room"] = says.room_id
        if says.adult_id or says.adult_name:
            row["adult"] = (says.adult_id, says.adult_name.strip().casefold())


# -- visits


def _visits(rows: list[Row]) -> tuple[list[Row], list[Question]]:
    stays: list[Row] = []
    questions: list[Question] = []
    while rows:
        row, *rows = rows
        if row["role"] == "come":
            count = next((n for n, other in enumerate(rows) if other["role"] in ("go", "close")), len(rows))
            seen = [row, *(other for other in rows[:count] if other["role"] == "come")]
            rows = _visit(seen, rows[count:], stays, questions)
        elif row["role"] == "go":
            questions += _leaves_again(row, stays)
    return stays, questions


def _visit(seen: list[Row], rows: list[Row], stays: list[Row], questions: list[Question]) -> list[Row]:
    """One visit, and those that are cut off it; gives the rows behind it."""
    stays.append(_stay(seen[0], questions, seen[1:]))
    while rows:
        stay = stays[-1]
        closing = rows[0] if rows[0]["role"] == "close" else None
        after = [row for row in rows if row["role"] in ("come", "go")] if closing else rows
        if not after or after[0]["role"] == "come":
            if closing is None:
                seen.append(after[0])
                _meets(stay, after[0], questions)
                rows = rows[1:]
                continue
            stay.update(out=closing, end=closing["at"], assumed=True)
            return rows[1:]
        leaves = after[0]
        behind = rows[rows.index(leaves) + 1 :]
        own = [row["at"] for row in seen if row["desk"] == leaves["desk"]]
        left_in = [row for row in seen if own and row["at"] - max(own) > TEN_MINUTES_MS]
        stay.update(out=leaves, end=left_in[0]["at"] if left_in else leaves["at"])
        if not left_in:
            return behind
        questions.append(("overlapping_stays", (stay["in"]["id"], left_in[0]["id"], leaves["id"])))
        seen, rows = left_in, [closing, *behind] if closing else behind
        stay.update(disputed=True, short=True)
        same = [row["id"] for row in seen[1:] if row["at"] - seen[0]["at"] <= TEN_MINUTES_MS]
        stays.append({**_stay(seen[0], [], []), "same": same, "disputed": True, "cut": True})
    return rows


def _stay(arrival: Row, questions: list[Question], others: list[Row]) -> Row:
    stay: Row = {
        "in": arrival, "out": None, "start": arrival["at"], "end": None, "same": [],
        "disputed": False, "assumed": False, "cut": False, "short": False,
    }  # fmt: skip
    for other in others:
        _meets(stay, other, questions)
    return stay


def _meets(stay: Row, other: Row, questions: list[Question]) -> None:
    """Somebody comes who is in."""
    if other["at"] - stay["start"] <= TEN_MINUTES_MS:
        stay["same"].append(other["id"])
    else:
        questions.append(("possible_missed_check_out", (stay["in"]["id"], other["id"])))


def _leaves_again(row: Row, stays: list[Row]) -> list[Question]:
    last = stays[-1] if stays else None
    if last is not None and _two_people(last["out"]["adult"], row["adult"]):
        return [("two_collectors", (last["out"]["id"], row["id"]))]
    if last is not None and row["at"] - last["end"] <= TEN_MINUTES_MS:
        last["same"].append(row["id"])
        return []
    stays.append({**_stay(row, [], []), "in": None, "out": row, "start": None, "end": row["at"], "disputed": True})
    return [("check_out_without_check_in", (row["id"],))]


def _two_people(one: tuple[str, str], other: tuple[str, str]) -> bool:
    for mine, theirs in zip(one, other, strict=True):
        if mine and theirs:
            return mine != theirs
    return False


# -- rooms


def _rooms(stays: list[Row], rows: list[Row]) -> list[Question]:
    for stay in stays:
        stay["rooms"] = [(stay["start"], stay["in"]["room"])] if stay["in"] and stay["in"]["room"] else []
    questions = []
    for place, row in enumerate(rows):
        if row["role"] != "move":
            continue
        home = [stay for stay in stays if _was_in(stay, place, row, rows)]
        if home:
            home[-1]["rooms"].append((row["at"], row["room"]))
            continue
        gone = [stay["out"]["id"] for stay in stays if stay["out"] is not None and rows.index(stay["out"]) < place]
        questions.append(("movement_after_departure", (*gone[-1:], row["id"])))
    return questions


def _was_in(stay: Row, place: int, row: Row, rows: list[Row]) -> bool:
    """Whether the row lies between the arrival and the departure; where stays were cut, the moment decides."""
    if stay["in"] is None or (stay["out"] is not None and rows.index(stay["out"]) < place):
        return False
    if stay["short"] and row["at"] >= stay["end"]:
        return False
    return bool(stay["start"] <= row["at"]) if stay["cut"] else rows.index(stay["in"]) < place


def _told(stay: Row) -> Row:
    return {
        "in": stay["in"]["id"] if stay["in"] else "",
        "out": stay["out"]["id"] if stay["out"] else "",
        **{name: stay[name] for name in ("start", "end", "same", "disputed", "assumed", "rooms")},
    }
