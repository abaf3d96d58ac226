"""The files that pages load: found by name, and at an address that changes when any of them does."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them; `version` is a digest of everything, since scripts load each other by plain names."""

    version: str
    by_name: dict[str, Asset]

    def find(self, name: str) -> Asset | None:
        """Give a file by its name, which is never a path."""
        return self.by_name.get(name)


@cache
def shipped_assets() -> Assets:
    """Read the files of this package, once."""
    found = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
    whole = hashlib.sha256()
    for name, content in found.items():
        whole.update(hashlib.sha256(name.encode() + b"\0" + content).digest())
    return Assets(
        version=whole.hexdigest()[:_VERSION_CHARACTERS],
        by_name={name: _asset(name, content) for name, content in found.items()},
    )


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:_VERSION_CHARACTERS]
    return Asset(content, _MEDIA_TYPES[Path(name).suffix], f'"{digest}"')
