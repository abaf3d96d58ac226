"""A ZIP archive that is handed on in parts while it is written: at no time is more of it in memory than a part."""

import zipfile
from datetime import datetime
from typing import Final

_FIRST_YEAR: Final = 1980  # of the format


class _Sink:
    """What is written and not handed on yet; without `seek` and `tell`, so that nothing goes back."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, data: bytes) -> int:
        self.held += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""


class ZipParts:
    """Takes files, one after the other, and gives the bytes of the archive in parts of one length, the last shorter."""

    def __init__(self, made_at: datetime, *, part_bytes: int) -> None:
        """Begin an archive whose files all carry the time `made_at`."""
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)  # type: ignore[call-overload]
        self._date = (max(made_at.year, _FIRST_YEAR), *made_at.timetuple()[1:6])
        self._part_bytes = part_bytes

    def add(self, name: str, data: bytes, *, compression: int = zipfile.ZIP_DEFLATED) -> list[bytes]:
        """Put a file in, and give the parts that are whole by now; a photo is stored (`ZIP_STORED`)."""
        told = zipfile.ZipInfo(name, self._date)
        told.external_attr = 0o600 << 16
        self._archive.writestr(told, data, compression)
        return self._whole()

    def end(self) -> list[bytes]:
        """End the archive, and give what is left."""
        self._archive.close()
        parts = self._whole()
        rest = bytes(self._sink.held)
        return [*parts, rest] if rest else parts

    def _whole(self) -> list[bytes]:
        held, parts = self._sink.held, []
        while len(held) >= self._part_bytes:
            parts.append(bytes(held[: self._part_bytes]))
            del held[: self._part_bytes]
        return parts
