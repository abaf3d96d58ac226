"""Small pictures: what is packed reads back, what is none is none, and a smaller one is the mean of what it covers."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.limits import RECORD_BODY_BYTES_MAX
from sync.pictures import Colour, pack, scaled, unpack
from sync.records import PICTURE_COLOURS_MAX, PICTURE_SIDE, PIXELS, PictureRecord, encode_record

part = st.integers(0, 255)
colours = st.lists(st.tuples(part, part, part), min_size=1, max_size=PICTURE_COLOURS_MAX)
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
HALVES = pack([BLACK, WHITE], bytes([0] * (PIXELS // 2) + [1] * (PIXELS // 2)))


@given(colours, st.data())
def test_what_is_packed_reads_back_and_stays_small(palette: list[Colour], data: st.DataObject) -> None:
    some = data.draw(st.binary(min_size=1, max_size=40))
    pixels = bytes(number % len(palette) for number in (some * PIXELS)[:PIXELS])
    record = pack(palette, pixels)
    picture = unpack(record)
    assert picture is not None
    assert [point for row in picture for point in row] == [palette[number] for number in pixels]
    assert {len(row) for row in picture} == {len(picture)} == {PICTURE_SIDE}
    assert len(encode_record(record)) <= 1_400 < RECORD_BODY_BYTES_MAX


@pytest.mark.parametrize(
    ("palette", "pixels"),
    [
        ([], bytes(PIXELS)),
        ([BLACK] * (PICTURE_COLOURS_MAX + 1), bytes(PIXELS)),
        ([BLACK], bytes(PIXELS - 1)),
        ([BLACK], bytes(PIXELS - 1) + b"\1"),
        ([BLACK], b""),
    ],
)
def test_what_is_no_picture_is_not_packed(palette: list[Colour], pixels: bytes) -> None:
    with pytest.raises(ValueError, match="a picture"):
        pack(palette, pixels)


@pytest.mark.parametrize(
    "record",
    [
        PictureRecord(palette="", pixels="A" * PIXELS),
        PictureRecord(palette="AAA", pixels="A" * PIXELS),
        PictureRecord(palette="not base64", pixels="A" * PIXELS),
        PictureRecord(palette="é", pixels="A" * PIXELS),
        PictureRecord(palette=base64.b64encode(b"\0" * 4).decode(), pixels="A" * PIXELS),
        PictureRecord(palette="AAAA", pixels="A" * (PIXELS - 1)),
        PictureRecord(palette="AAAA", pixels="A" * (PIXELS - 1) + "B"),
        PictureRecord(palette="AAAA", pixels="A" * (PIXELS - 1) + "-"),
    ],
)
def test_a_record_that_makes_no_picture_is_none(record: PictureRecord) -> None:
    assert unpack(record) is None


def test_a_smaller_picture_is_the_mean_of_what_each_point_covers() -> None:
    picture = unpack(HALVES)
    assert picture is not None
    assert scaled(picture, PICTURE_SIDE) == picture
    assert scaled(picture, 2) == ((BLACK, BLACK), (WHITE, WHITE))
    assert scaled(picture, 1) == (((127, 127, 127),),)
    # Of three rows the middle one covers as much of the black half as of the white one.
    assert [row[0] for row in scaled(picture, 3)] == [BLACK, (127, 127, 127), WHITE]


@given(st.integers(1, PICTURE_SIDE), st.tuples(part, part, part))
def test_one_colour_stays_what_it_is_at_every_size(side: int, colour: Colour) -> None:
    picture = unpack(pack([colour], bytes(PIXELS)))
    assert picture is not None
    assert scaled(picture, side) == ((colour,) * side,) * side


@pytest.mark.parametrize("side", [0, -1, PICTURE_SIDE + 1])
def test_nothing_is_made_up_between_two_points(side: int) -> None:
    picture = unpack(HALVES)
    assert picture is not None
    with pytest.raises(ValueError, match="scaled"):
        scaled(picture, side)
