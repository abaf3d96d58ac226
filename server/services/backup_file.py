"""The file of a backup: a ZIP archive with a part for each table and a manifest that says what must be in them.

It is written under another name, readable by nobody else, and takes its own only when it is whole and on the disk.
A ZIP file has its list of contents at its end, so one that was cut off is known as such at once; every part has its
SHA-256 in the manifest.
"""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Final, Literal

import msgspec

from server.core.errors import RollcallError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
# Some twenty tables with some twenty columns each are a few KiB.
MANIFEST_BYTES_MAX: Final = 1024 * 1024
CHUNK_BYTES: Final = 512 * 1024
_FIXED_DATE: Final = (1980, 1, 1, 0, 0, 0)

OnBytes = Callable[[int], None]
"""Takes how many bytes more were done."""


class BackupRefused(RollcallError):
    """A backup cannot be made, or is not one that can be restored here."""

    code = "backup_refused"
    title = "This backup cannot be used"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What must be in the archive of one table."""

    table: str
    columns: tuple[str, ...]
    rows: Annotated[int, msgspec.Meta(ge=0)]
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup is: of which schema (an Alembic revision), when, and its parts in the order to load them."""

    rollcall: Literal["backup"]
    format: int
    revision: str
    made_at: datetime
    parts: tuple[Part, ...]


class PartWriter:
    """Takes the bytes of one part; counts and hashes them on their way."""

    def __init__(self, member: IO[bytes], on_rows: OnBytes) -> None:
        """Write to an open member of the archive; `on_rows` hears how many lines more were written."""
        self._member = member
        self._on_rows = on_rows
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, chunk: bytes) -> int:
        """Take some more."""
        self._digest.update(chunk)
        self._bytes += len(chunk)
        with _file_errors():
            self._member.write(chunk)
        self._on_rows(chunk.count(b"\n"))
        return len(chunk)

    def part(self, table: str, columns: tuple[str, ...], rows: int) -> Part:
        """Describe what was written."""
        return Part(table=table, columns=columns, rows=rows, bytes=self._bytes, sha256=self._digest.hexdigest())


class BackupWriter:
    """An archive that is being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Write to an open archive."""
        self._archive = archive

    @contextmanager
    def part(self, table: str, on_rows: OnBytes) -> Iterator[PartWriter]:
        """Write one part."""
        with _file_errors():
            member = self._archive.open(_info(_member(table)), "w", force_zip64=True)
        try:
            yield PartWriter(member, on_rows)
        finally:
            with _file_errors():
                member.close()

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, which is the last thing."""
        self._archive.writestr(_info(MANIFEST), msgspec.json.format(msgspec.json.encode(manifest)))


@contextmanager
def writing(path: Path) -> Iterator[BackupWriter]:
    """Write a backup; the file appears, or replaces the one before, when the block ends well, and otherwise not.

    Raises:
        BackupRefused: it cannot be written there, for example because the disk is full.

    """
    unfinished: Path | None = None
    try:
        with _file_errors():
            handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent)
        unfinished = Path(name)
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                yield BackupWriter(archive)
            file.flush()
            os.fsync(handle)
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise _not_written(error) from None
    finally:
        if unfinished is not None:
            unfinished.unlink(missing_ok=True)


class PartReader:
    """Gives the bytes of one part."""

    def __init__(self, archive: zipfile.ZipFile, table: str) -> None:
        """Read the part of a table; nothing is opened before the first read."""
        self._archive = archive
        self._table = table
        self._member: IO[bytes] | None = None

    def read(self, size: int) -> bytes:
        """Give at most `size` bytes; none at the end.

        Raises:
            BackupRefused: the part is missing or damaged.

        """
        try:
            if self._member is None:
                self._member = self._archive.open(_member(self._table))
            return self._member.read(size)
        except (KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError):
            # Without its cause: an OSError behind it would be taken for trouble with the database.
            raise BackupRefused(f"The backup is damaged: its part {self._table} cannot be read.") from None

    def close(self) -> None:
        """Read no more."""
        if self._member is not None:
            self._member.close()


class BackupReader:
    """An archive whose manifest was read; nothing of its parts was looked at yet."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        """Read from an open archive."""
        self._archive = archive
        self.manifest: Final = manifest

    def check(self, on_bytes: OnBytes) -> None:
        """Read every part once and compare it with the manifest.

        Raises:
            BackupRefused: a part is missing, damaged, or another one.

        """
        for part in self.manifest.parts:
            self._check(part, on_bytes)

    @contextmanager
    def part(self, part: Part) -> Iterator[PartReader]:
        """Give the content of a part."""
        content = PartReader(self._archive, part.table)
        try:
            yield content
        finally:
            content.close()

    def _check(self, part: Part, on_bytes: OnBytes) -> None:
        digest, size = hashlib.sha256(), 0
        with self.part(part) as content:
            while chunk := content.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
                on_bytes(len(chunk))
        if (size, digest.hexdigest()) != (part.bytes, part.sha256):
            raise BackupRefused(f"The backup is damaged: its part {part.table} is not what was saved.")


@contextmanager
def reading(path: Path) -> Iterator[BackupReader]:
    """Open a backup.

    Raises:
        BackupRefused: it is not one, or not whole.

    """
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise BackupRefused(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}.") from error
    except zipfile.BadZipFile:
        raise BackupRefused(f"{path} is no backup of Rollcall, or was cut off.") from None
    with archive:
        yield BackupReader(archive, _manifest(archive, path))


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        with archive.open(MANIFEST) as member:
            content = member.read(MANIFEST_BYTES_MAX)
        manifest = msgspec.json.decode(content, type=Manifest)
    except (KeyError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
        raise BackupRefused(f"{path} is no backup of Rollcall: its manifest cannot be read.") from None
    if manifest.format != FORMAT:
        raise BackupRefused(f"{path} has format {manifest.format}; this version reads format {FORMAT}.")
    return manifest


def _member(table: str) -> str:
    return f"tables/{table}.copy"


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _FIXED_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


@contextmanager
def _file_errors() -> Iterator[None]:
    """Tell trouble with the file at once, before anybody takes it for trouble with the database."""
    try:
        yield
    except OSError as error:
        raise _not_written(error) from None


def _not_written(error: OSError) -> BackupRefused:
    reason = (error.strerror or "unknown reason").lower()
    return BackupRefused(f"The backup cannot be written there: {reason}. Nothing was left of it.")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
