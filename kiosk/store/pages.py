"""Reading an encrypted file page by page without SQLite, for when SQLite no longer can.

Formats: SQLCipher 4 (https://www.zetetic.net/sqlcipher/design/) with a raw key; SQLite's file format
(https://www.sqlite.org/fileformat2.html). A page is 4,096 bytes: AES-256-CBC, then 16 bytes of initialisation vector
and an HMAC-SHA512 over ciphertext, vector and page number. A page that does not match its HMAC is never looked at.
"""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from kiosk.store.wal import PAGE_BYTES, frames

_VECTOR_BYTES: Final = 16
_HMAC_BYTES: Final = 64
_SALT_BYTES: Final = 16
_USABLE_BYTES: Final = PAGE_BYTES - _VECTOR_BYTES - _HMAC_BYTES
_FILE_HEADER: Final = b"SQLite format 3\0"
_INTERIOR_INDEX: Final = 2
_LEAF_INDEX: Final = 10
# SQLite itself allows no more columns by default than 2,000; a journal row has about twenty.
_COLUMNS_MAX: Final = 100

Row = tuple[Any, ...]


def salt_of(key: bytes) -> bytes:
    """The salt of a file that this program makes: from the key, so that it can be known when page 1 is lost.

    A salt must be new where a key is made from a password; this key is 32 bytes of luck, made for one device.
    """
    return hashlib.sha256(b"rollcall.replica.salt.v1" + key).digest()[:_SALT_BYTES]


def log_of(path: Path) -> bytes:
    """The log beside a replica; empty when there is none."""
    return _content(Path(f"{path}-wal"))


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


class RawFile:
    """Every copy of every page that proves itself, in a replica and in its log: the file's first, the newest last.

    All of them count: the log that lies beside a damaged file may be older than the file.
    """

    def __init__(self, path: Path, key: bytes, log: bytes | None = None) -> None:
        """Read the file at `path`, and `log` in place of the log beside it when one is given."""
        self._key = key
        self._file = memoryview(_content(path))
        self._log = log_of(path) if log is None else log
        self._hmac_key = b""
        self._copies: list[tuple[int, memoryview]] = []
        self._pages: dict[int, list[memoryview]] = {}
        self.damaged = 0
        self._collect()

    def _collect(self) -> None:
        copies = [*self._pages_of_file(), *self._pages_of_log()]
        for salt in self._salts():
            hmac_salt = bytes(byte ^ 0x3A for byte in salt)
            self._hmac_key = hashlib.pbkdf2_hmac("sha512", self._key, hmac_salt, 2, 32)
            good = [(number, page) for number, page in copies if self._is_ours(number, page)]
            if good:
                self._copies = good
                self.damaged = len(copies) - len(good)
                break
        else:
            self.damaged = len(copies)
        for number, page in self._copies:
            self._pages.setdefault(number, []).append(page)

    def _salts(self) -> tuple[bytes, ...]:
        in_log = next((bytes(page[:_SALT_BYTES]) for number, page in self._pages_of_log() if number == 1), b"")
        return tuple(salt for salt in (bytes(self._file[:_SALT_BYTES]), salt_of(self._key), in_log) if salt)

    def _pages_of_file(self) -> Iterator[tuple[int, memoryview]]:
        for at in range(0, len(self._file) - PAGE_BYTES + 1, PAGE_BYTES):
            yield at // PAGE_BYTES + 1, self._file[at : at + PAGE_BYTES]

    def _pages_of_log(self) -> Iterator[tuple[int, memoryview]]:
        """The frames up to the last one that ends a transaction: what comes after was never committed."""
        found = list(frames(self._log))
        ends = [index for index, frame in enumerate(found) if frame.is_commit]
        log = memoryview(self._log)
        for frame in found[: ends[-1] + 1 if ends else 0]:
            yield frame.page, log[frame.at : frame.at + PAGE_BYTES]

    def _is_ours(self, number: int, page: memoryview) -> bool:
        begin = _SALT_BYTES if number == 1 else 0
        signing = hmac.new(self._hmac_key, page[begin : PAGE_BYTES - _HMAC_BYTES], "sha512")
        signing.update(number.to_bytes(4, "little"))
        made = signing.digest()
        return hmac.compare_digest(made, page[PAGE_BYTES - _HMAC_BYTES :])

    def _plain(self, number: int, page: memoryview) -> bytes:
        begin = _SALT_BYTES if number == 1 else 0
        vector = page[_USABLE_BYTES : _USABLE_BYTES + _VECTOR_BYTES]
        cipher = Cipher(algorithms.AES(self._key), modes.CBC(vector)).decryptor()
        plain = cipher.update(page[begin:_USABLE_BYTES]) + cipher.finalize()
        return _FILE_HEADER + plain if number == 1 else plain

    def rows(self) -> Iterator[Row]:
        """Every row of every copy of an index b-tree page, of whichever table or index: those of newer copies later.

        A table without rowid is such a tree. A row that overflows its page is given with the oldest and with the newest
        copies of the others, and left out when one of them is lost; whoever reads it must be able to tell.
        """
        for number, copy in self._copies:
            page = self._plain(number, copy)
            try:
                payloads = list(self._payloads(page, 100 if number == 1 else 0))
            except IndexError:
                continue  # no b-tree page: its numbers lead out of it
            for payload in payloads:
                row = _row(payload)
                if row is not None:
                    yield row

    def _payloads(self, page: bytes, header: int) -> Iterator[bytes]:
        kind = page[header]
        if kind not in (_INTERIOR_INDEX, _LEAF_INDEX):
            return
        count = int.from_bytes(page[header + 3 : header + 5], "big")
        pointers = header + (12 if kind == _INTERIOR_INDEX else 8)
        for index in range(count):
            at = int.from_bytes(page[pointers + 2 * index : pointers + 2 * index + 2], "big")
            begin = at + (4 if kind == _INTERIOR_INDEX else 0)
            found = dict.fromkeys(self._payload(page, begin, which) for which in (0, -1))
            yield from (payload for payload in found if payload is not None)

    def _payload(self, page: bytes, at: int, which: int) -> bytes | None:
        size, at = _number(page, at)
        local = _local_bytes(size)
        payload = page[at : at + local]
        if local == size:
            return payload
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        for _ in range(size // (_USABLE_BYTES - 4) + 1):
            copies = self._pages.get(following)
            if copies is None:
                return None
            overflow = self._plain(following, copies[which])
            payload += overflow[4:_USABLE_BYTES]
            following = int.from_bytes(overflow[:4], "big")
            if len(payload) >= size:
                return payload[:size]
        return None


def _local_bytes(size: int) -> int:
    """How much of a payload stands in its own page."""
    most = (_USABLE_BYTES - 12) * 64 // 255 - 23
    if size <= most:
        return size
    least = (_USABLE_BYTES - 12) * 32 // 255 - 23
    fitting = least + (size - least) % (_USABLE_BYTES - 4)
    return fitting if fitting <= most else least


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A variable-length number and where it ends; raises IndexError beyond the end."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the upper bit says that more follows
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9


def _row(payload: bytes) -> Row | None:
    """The values of a record, or None when it is none."""
    try:
        header, at = _number(payload, 0)
        kinds: list[int] = []
        while at < header and len(kinds) < _COLUMNS_MAX:
            kind, at = _number(payload, at)
            kinds.append(kind)
        values: list[Any] = []
        for kind in kinds:
            value, at = _value(payload, at, kind)
            values.append(value)
    except (IndexError, UnicodeDecodeError):
        return None
    return tuple(values)


_INTEGER_BYTES: Final = (0, 1, 2, 3, 4, 6, 8)


def _value(payload: bytes, at: int, kind: int) -> tuple[Any, int]:
    """One value of a record (file format, section 2.1); real numbers are not used here."""
    if kind == 0:
        return None, at
    if kind < len(_INTEGER_BYTES):
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(payload[at:end], "big", signed=True), end
    if kind in (8, 9):
        return kind - 8, at
    end = at + max(0, kind - 12) // 2
    if end > len(payload):
        raise IndexError
    return (payload[at:end] if kind % 2 == 0 else payload[at:end].decode()), end
