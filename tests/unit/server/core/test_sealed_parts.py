"""Parts of a file open with their own number, file and key, and with nothing else; an archive comes in parts."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from server.core.sealed_parts import SALT_BYTES, TAG_BYTES, PartNotGood, SealedFiles
from server.core.zip_parts import ZipParts

SECRET = "correct horse battery staple, but longer than that"
SALT, OTHER_SALT = bytes(SALT_BYTES), bytes([1] * SALT_BYTES)
AT = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


def test_a_part_opens_in_its_place_and_nowhere_else() -> None:
    file = SealedFiles(SECRET).of(SALT)
    sealed = file.seal(3, b"Mia")
    assert (file.open(3, sealed), len(sealed)) == (b"Mia", 3 + TAG_BYTES)
    assert b"Mia" not in sealed
    others = ((file, 2), (SealedFiles(SECRET).of(OTHER_SALT), 3), (SealedFiles(SECRET + "!").of(SALT), 3))
    for other, number in others:
        with pytest.raises(PartNotGood):
            other.open(number, sealed)
    for place in range(len(sealed)):
        with pytest.raises(PartNotGood):
            file.open(3, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
    with pytest.raises(ValueError, match="32 bytes"):
        SealedFiles(SECRET).of(b"short")


def test_an_archive_is_handed_on_in_parts_of_one_length_and_is_whole() -> None:
    archive = ZipParts(AT, part_bytes=1_000)
    noise = bytes(number * 7919 % 251 for number in range(5_300))
    parts = archive.add("photo.jpg", noise, compression=zipfile.ZIP_STORED)
    assert [len(one) for one in parts] == [1_000] * 5
    parts += archive.add("a/README.txt", b"Zo\xc3\xab" * 1_000)
    parts += archive.end()
    assert {len(one) for one in parts[:-1]} == {1_000}
    assert 0 < len(parts[-1]) <= 1_000
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as opened:
        assert opened.testzip() is None
        assert opened.read("photo.jpg") == noise
        assert opened.read("a/README.txt") == b"Zo\xc3\xab" * 1_000
        assert opened.getinfo("photo.jpg").date_time == (2026, 9, 21, 14, 13, 20)
