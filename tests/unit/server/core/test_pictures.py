"""Pictures that people send: what is drawn anew holds the points and nothing else, and what is none is refused."""

import asyncio
import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from server.core.pictures import POINTS_MAX, SIDE_STORED_MAX, Drawn, Mosaic, PictureRefused, Pictures
from sync.pictures import pack, unpack
from tests.support.photo_files import CANARY, MEDIA_TYPES, file_of, image, telephone_photo


def draw(body: bytes, media_type: str = "image/jpeg") -> tuple[Drawn, Mosaic]:
    return asyncio.run(Pictures().draw(body, media_type, side=32, colours=64))


def refusal(body: bytes, media_type: str = "image/jpeg") -> str:
    with pytest.raises(PictureRefused) as refused:
        draw(body, media_type)
    assert refused.value.problems[0].pointer == "/"
    return refused.value.detail


def png_of_size(width: int, height: int) -> bytes:
    """The head of a PNG with so many points, and next to nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    points = chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + points + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "P"), ("PNG", "1"), ("WEBP", "RGB")]
)
def test_each_kind_is_drawn_anew_as_a_jpeg_without_anything_else(kind: str, mode: str) -> None:
    drawn, mosaic = draw(file_of(image(mode=mode), kind), MEDIA_TYPES[kind])
    again = Image.open(BytesIO(drawn.jpeg))
    assert (again.format, again.size, (drawn.width, drawn.height)) == ("JPEG", (96, 64), (96, 64))
    assert not again.getexif()
    assert set(again.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert unpack(pack(mosaic.palette, mosaic.points)) is not None


def test_where_it_was_taken_and_whatever_else_was_in_the_file_is_gone() -> None:
    body = telephone_photo()
    assert body.count(CANARY) == 3
    drawn, _ = draw(body)
    assert CANARY not in drawn.jpeg
    assert b"Exif" not in drawn.jpeg
    drawn, _ = draw(file_of(image(), "PNG", pnginfo=None) + CANARY, "image/png")
    assert CANARY not in drawn.jpeg


def test_a_photo_that_was_taken_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees
    drawn, mosaic = draw(file_of(image(), exif=exif))
    assert (drawn.width, drawn.height) == (64, 96)
    picture = unpack(pack(mosaic.palette, mosaic.points))
    assert picture is not None
    assert [picture[0][0][0] > 200, picture[0][0][2] < 60] == [True, True], "red is on top now"
    assert [picture[31][31][0] < 60, picture[31][31][2] > 200] == [True, True]


def test_what_can_be_seen_through_is_white_and_large_ones_become_small() -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    _, mosaic = draw(file_of(clear, "PNG"), "image/png")
    assert all(min(mosaic.palette[point]) > 250 for point in mosaic.points)
    drawn, _ = draw(file_of(image(3_000, 1_000)))
    assert (drawn.width, drawn.height) == (SIDE_STORED_MAX, 171)


def test_a_file_that_stands_for_gigabytes_is_refused_by_its_head() -> None:
    for width, height in ((4_001, 4_000), (20_000, 20_000), (60_000, 60_000)):
        assert "too large" in refusal(png_of_size(width, height), "image/png")
    assert POINTS_MAX == 4_000 * 4_000
    assert "damaged" in refusal(png_of_size(4_000, 4_000), "image/png")


def test_what_is_no_picture_or_another_one_than_it_says_is_refused() -> None:
    good = file_of(image())
    assert "Content-Type" in refusal(good, "image/gif")
    assert "Content-Type" in refusal(good, "")
    assert "Content-Type says" in refusal(good, "image/png")
    assert "Content-Type says" in refusal(file_of(image(), "PNG"))
    assert "no JPEG" in refusal(file_of(image(), "GIF"))
    assert "no JPEG" in refusal(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert "no JPEG" in refusal(b"")
    assert "too small" in refusal(file_of(image(31, 200)))


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_a_damaged_file_is_refused_or_drawn_and_never_anything_else(kind: str) -> None:
    good = file_of(image(), kind)
    for at in range(0, len(good), max(1, len(good) // 40)):
        for bad in (good[:at], good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :], good[:at] + good[at + 9 :]):
            try:
                drawn, _ = draw(bad, MEDIA_TYPES[kind])
            except PictureRefused:
                continue
            assert Image.open(BytesIO(drawn.jpeg)).format == "JPEG"
    assert "damaged" in refusal(good[: len(good) * 2 // 3], MEDIA_TYPES[kind])
