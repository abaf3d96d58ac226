"""Makes the sample centre: the same seed gives the same file, byte for byte."""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from importlib.resources import files
from typing import Final, TypeVar

from server.sample.names import POOLS, SHORT_NAMES, STAFF

CENTER_CODE: Final = "sunny-gate"
SEED: Final = "sunny-gate-1"
ROSTER_FILE: Final = "roster.csv"
# Ages are right on this day.
AS_OF: Final = date(2026, 9, 1)
COLUMNS: Final = (
    "record", "external_id", "name", "organisation", "time_zone", "opens_at", "closes_at", "capacity", "sort",
    "given_name", "family_name", "preferred_name", "birth_date", "room", "phone", "email", "role",
    "counts_in_ratio", "child", "adult", "status", "relationship", "legal_guardian", "valid_from", "valid_to",
    "kind", "severity", "text",
)  # fmt: skip
# Code, name, places, children of the sample, and the youngest and oldest age in months.
ROOMS: Final = (
    ("DUCK", "Ducklings", 9, 8, 4, 14),
    ("HEDGE", "Hedgehogs", 12, 10, 15, 25),
    ("OTTER", "Otters", 14, 12, 26, 37),
    ("FOX", "Foxes", 18, 15, 38, 49),
    ("OWL", "Owls", 18, 15, 50, 60),
)
SINGLE_PARENT_EVERY: Final = 11
GRANDPARENT_EVERY: Final = 9
# Families in which somebody must not collect, and those in which somebody may for a while only.
BARRED_FAMILIES: Final = (17, 29, 38)
TEMPORARY_FAMILIES: Final = (6, 21)
ALERTS: Final = (
    (2, "allergy", "critical", "Peanut allergy: EpiPen in the red bag by the door"),
    (7, "dietary", "attention", "No pork, no gelatine"),
    (11, "medical", "critical", "Asthma: blue inhaler before running outside"),
    (16, "allergy", "attention", "Egg allergy, mild"),
    (19, "medication", "attention", "Antibiotics at 12:30, in the office fridge"),
    (24, "allergy", "critical", "Cow’s milk allergy: no dairy at all"),
    (28, "behaviour", "info", "Settles best with her blue rabbit"),
    (33, "medical", "critical", "Febrile seizures: protocol in the office"),
    (38, "dietary", "info", "Vegetarian"),
    (41, "allergy", "attention", "Bee stings: swelling"),
    (47, "note", "info", "Wears glasses"),
    (52, "dietary", "attention", "Coeliac: gluten-free only"),
    (56, "medical", "attention", "Hearing aid, left ear"),
)
_Row = dict[str, str]
_Option = TypeVar("_Option")


@dataclass(frozen=True, slots=True)
class _Family:
    number: int
    name: str
    pool: int
    adults: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """The rows so far, and the full names that are taken."""

    dice: "_Dice"
    rows: list[_Row] = field(default_factory=list)
    names: set[tuple[str, str]] = field(default_factory=set)

    def add(self, record: str, **values: str) -> None:
        self.rows.append({"record": record, **values})

    def new_name(self, pool: int, family: str, *, adult: bool) -> str:
        """A given name that nobody of this family has."""
        options = POOLS[pool].adults if adult else POOLS[pool].children
        free = [name for name in options if (name, family) not in self.names]
        chosen = self.dice.choose(free)
        self.names.add((chosen, family))
        return chosen


class _Dice:
    """Numbers that look thrown and are the same for one seed on every machine."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._thrown = 0

    def below(self, limit: int) -> int:
        self._thrown += 1
        digest = hashlib.sha256(f"{self._seed}:{self._thrown}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit

    def choose(self, options: Sequence[_Option]) -> _Option:
        return options[self.below(len(options))]


def sample_csv(seed: str = SEED) -> str:
    """Give the text of the sample roster."""
    draft = _Draft(_Dice(seed))
    draft.add(
        "center", external_id=CENTER_CODE, name="Sunny Gate Nursery", organisation="Sunny Gate Early Years",
        time_zone="Europe/London", opens_at="07:30", closes_at="18:00",
    )  # fmt: skip
    for sort, (code, name, capacity, *_) in enumerate(ROOMS, start=1):
        draft.add("room", external_id=code, name=name, capacity=str(capacity), sort=str(sort))
    _add_staff(draft)
    families = _families(draft)
    children = _add_children(draft, families)
    _add_adults(draft, families, children)
    _add_alerts(draft)
    return _as_csv(draft.rows)


def shipped_csv() -> bytes:
    """Give the bytes of the sample roster that comes with the program."""
    return files("server.sample").joinpath(ROSTER_FILE).read_bytes()


def _add_staff(draft: _Draft) -> None:
    for number, (given, family, role) in enumerate(STAFF, start=1):
        counts = "no" if role in {"manager", "support"} else "yes"
        draft.add(
            "staff", external_id=f"S-{number:02}", given_name=given, family_name=family, role=role,
            counts_in_ratio=counts, email=f"staff{number:02}@sunny-gate.example.org",
        )  # fmt: skip


def _families(draft: _Draft) -> list[_Family]:
    """All family names of all pools, mixed; each with one or two adults."""
    found = []
    pairs = [(pool, name) for pool, names in enumerate(POOLS) for name in names.families]
    for number in range(1, len(pairs) + 1):
        pool, name = pairs.pop(draft.dice.below(len(pairs)))
        count = 1 if number % SINGLE_PARENT_EVERY == 0 else 2
        adults = tuple(draft.new_name(pool, name, adult=True) for _ in range(count))
        found.append(_Family(number, name, pool, adults))
    return found


def _add_children(draft: _Draft, families: list[_Family]) -> dict[int, list[str]]:
    """Fill the rooms family after family, from the first again when all had their turn; gives ids by family."""
    ids: dict[int, list[str]] = {family.number: [] for family in families}
    seats = [room for room in ROOMS for _ in range(room[3])]
    for index in range(len(seats)):
        family = families[index % len(families)]
        # The room changes with every child, so that siblings are in different ones.
        room = seats[index * 7 % len(seats)]
        given = draft.new_name(family.pool, family.name, adult=False)
        external_id = f"C-{index + 1:03}"
        months = room[4] + draft.dice.below(room[5] - room[4] + 1)
        birth = AS_OF - timedelta(days=months * 30 + draft.dice.below(28))
        draft.add(
            "child", external_id=external_id, given_name=given, family_name=family.name,
            preferred_name=SHORT_NAMES.get(given, ""), birth_date=birth.isoformat(), room=room[0],
        )  # fmt: skip
        ids[family.number].append(external_id)
    _share_a_name(draft)
    return ids


def _share_a_name(draft: _Draft) -> None:
    """Let two children of different rooms and families have one full name, as happens."""
    children = [row for row in draft.rows if row["record"] == "child"]
    first = children[0]
    elsewhere = (row for row in children[1:] if row["room"] != first["room"])
    other = next(row for row in elsewhere if row["family_name"] != first["family_name"])
    other["given_name"], other["family_name"] = first["given_name"], first["family_name"]


def _add_adults(draft: _Draft, families: list[_Family], children: dict[int, list[str]]) -> None:
    people: list[_Row] = []
    pickups: list[_Row] = []
    for family in families:
        for index, given in enumerate(_with_grandparent(draft, family)):
            number = len(people) + 1
            adult = {
                "record": "guardian", "external_id": f"G-{number:03}", "given_name": given,
                "family_name": family.name, "phone": f"07700 9{number:05}",
                "email": f"guardian{number:03}@families.example.org",
            }  # fmt: skip
            people.append(adult)
            ids = children[family.number]
            pickups += [_pickup(family, index, adult["external_id"], child) for child in ids]
    draft.rows += [*people, *pickups]


def _with_grandparent(draft: _Draft, family: _Family) -> tuple[str, ...]:
    if family.number % GRANDPARENT_EVERY and family.number not in TEMPORARY_FAMILIES:
        return family.adults
    return (*family.adults, draft.new_name(family.pool, family.name, adult=True))


def _pickup(family: _Family, index: int, adult: str, child: str) -> _Row:
    is_parent = index < len(family.adults)
    row = {
        "record": "pickup", "child": child, "adult": adult, "status": "authorised",
        "relationship": "parent" if is_parent else "grandparent", "legal_guardian": "yes" if is_parent else "no",
    }  # fmt: skip
    if family.number in BARRED_FAMILIES and index == 1:
        return {**row, "status": "not_authorised", "legal_guardian": "no"}
    if family.number in TEMPORARY_FAMILIES and not is_parent:
        return {**row, "status": "temporary", "valid_from": "2026-09-01", "valid_to": "2027-08-31"}
    return row


def _add_alerts(draft: _Draft) -> None:
    barred = [row["child"] for row in draft.rows if row.get("status") == "not_authorised"]
    listed = [(f"C-{child:03}", kind, severity, text) for child, kind, severity, text in ALERTS]
    court_order = "Court order: one parent may not collect, see pick-up list"
    listed += [(child, "custody", "critical", court_order) for child in barred]
    for number, (child, kind, severity, text) in enumerate(listed, start=1):
        draft.add("alert", external_id=f"A-{number:02}", child=child, kind=kind, severity=severity, text=text)


def _as_csv(rows: Sequence[_Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
