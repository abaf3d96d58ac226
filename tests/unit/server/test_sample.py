"""The sample centre: what ships is what the generator makes, and it has the cases it should have."""

import csv
import io
from collections import Counter

from server.sample.generate import CENTER_CODE, ROOMS, sample_csv, shipped_csv


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sample_csv())))


def test_the_shipped_file_is_what_the_generator_makes() -> None:
    assert shipped_csv() == sample_csv().encode()


def test_another_seed_makes_another_centre() -> None:
    assert sample_csv("another") != sample_csv() == sample_csv()


def test_the_centre_has_the_size_that_is_promised() -> None:
    kinds = Counter(row["record"] for row in rows())
    assert (kinds["center"], kinds["room"], kinds["child"], kinds["staff"]) == (1, 5, 60, 14)
    assert 85 <= kinds["guardian"] <= 95
    assert next(row["external_id"] for row in rows() if row["record"] == "center") == CENTER_CODE


def test_three_adults_must_not_collect_and_their_children_have_an_alert() -> None:
    barred = [row["child"] for row in rows() if row["status"] == "not_authorised"]
    assert len(barred) == 3
    assert barred == [row["child"] for row in rows() if row["kind"] == "custody"]
    assert {row["severity"] for row in rows() if row["kind"] == "custody"} == {"critical"}


def test_every_child_but_two_can_be_found_by_its_exact_name() -> None:
    children = [row for row in rows() if row["record"] == "child"]
    names = Counter(f"{row['given_name']} {row['family_name']}" for row in children)
    (shared,) = [name for name, count in names.items() if count > 1]
    rooms = [row["room"] for row in children if f"{row['given_name']} {row['family_name']}" == shared]
    assert len(rooms) == len(set(rooms)) == 2


def test_names_have_the_letters_that_break_careless_programs() -> None:
    letters = {letter for row in rows() for letter in row["given_name"] + row["family_name"]}
    assert {"'", "-", " ", "é", "ñ", "ł", "ø"} <= letters


def test_no_room_is_too_full_and_siblings_exist() -> None:
    children = [row for row in rows() if row["record"] == "child"]
    per_room = Counter(row["room"] for row in children)
    assert all(per_room[code] <= capacity for code, _, capacity, *_ in ROOMS)
    assert max(Counter(row["family_name"] for row in children).values()) >= 2
