"""A file layer between the shipped SQLCipher and its files: SQLite's own, with what changes a file passing by us.

The wheel of sqlcipher3 exports the C interface of its SQLite, so a second VFS can be registered from here. It is a
copy of SQLite's default one; a file that a watcher wants gets a method table in which only writing, truncating,
syncing and closing are ours. Reading, locking and shared memory stay native, and every other file is left alone.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import sqlcipher3._sqlite3

import kiosk.store.database

SQLITE_OK: Final = 0
SQLITE_FULL: Final = 13
IOERR: Final = 10
IOERR_WRITE: Final = IOERR | 3 << 8
IOERR_FSYNC: Final = IOERR | 4 << 8
IOERR_TRUNCATE: Final = IOERR | 6 << 8
IOERR_DELETE: Final = IOERR | 10 << 8
OPEN_CREATE: Final = 0x00000004
# A journal or log that SQLite may make: it syncs the directory too when it syncs such a file for the first time.
OPEN_NEW_LOG: Final = 0x00000800 | 0x00004000 | 0x00080000

_NAME: Final = b"rollcall-crash"
_METHODS: Final = (
    "close", "read", "write", "truncate", "sync", "size", "lock", "unlock", "is_reserved", "control", "sector",
    "features", "shm_map", "shm_lock", "shm_barrier", "shm_unmap", "fetch", "unfetch",
)  # fmt: skip
_CALLS: Final = (
    "open", "delete", "access", "full_path", "dl_open", "dl_error", "dl_sym", "dl_close", "luck", "sleep", "time",
    "last_error", "time_int64", "set_call", "get_call", "next_call",
)  # fmt: skip


class _Methods(ctypes.Structure):
    _fields_ = (("version", ctypes.c_int), *((name, ctypes.c_void_p) for name in _METHODS))


class _File(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("file_bytes", ctypes.c_int),
        ("path_max", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _CALLS),
    )


_pointer, _int, _int64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
# Names are pointers and not `c_char_p`: SQLite keeps the pointer and reads parameters behind the end of the name.
_OPEN: Final = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _pointer, _int, _pointer)
_DELETE: Final = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _int)
_WRITE: Final = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _int, _int64)
_TRUNCATE: Final = ctypes.CFUNCTYPE(_int, _pointer, _int64)
_SYNC: Final = ctypes.CFUNCTYPE(_int, _pointer, _int)
_CLOSE: Final = ctypes.CFUNCTYPE(_int, _pointer)


class Watcher(Protocol):
    """What is told of the files in one folder; `go_on` does what SQLite asked for and gives SQLite's own answer."""

    def opened(self, path: Path, flags: int) -> Any: ...
    def write(self, file: Any, at: int, data: bytes, go_on: Callable[[], int]) -> int: ...
    def truncate(self, file: Any, size: int, go_on: Callable[[], int]) -> int: ...
    def sync(self, file: Any, go_on: Callable[[], int]) -> int: ...
    def delete(self, path: Path, *, is_synced: bool, go_on: Callable[[], int]) -> int: ...
    def write_again(self, path: Path) -> None: ...


class _Shim:
    """The one registered VFS of this process; made when the first folder is watched, and never taken away."""

    def __init__(self) -> None:
        self.watchers: dict[Path, Watcher] = {}
        self._open_files: dict[int, tuple[Watcher, Any]] = {}
        self._tables: dict[int, _Methods] = {}
        library = ctypes.CDLL(sqlcipher3._sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        native = library.sqlite3_vfs_find(None).contents
        self._vfs = _Vfs.from_buffer_copy(native)
        self._open = _OPEN(native.open)
        self._delete = _DELETE(native.delete)
        self._kept: list[Any] = [_OPEN(self._opening), _DELETE(self._deleting)]
        self._vfs.name = _NAME
        self._vfs.open, self._vfs.delete = (ctypes.cast(call, _pointer).value for call in self._kept)
        library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1)
        # The one time that the kiosk writes to such a file by itself.
        self._write_log_again = kiosk.store.database._write_log_again
        kiosk.store.database._write_log_again = self._writing_again

    def _watcher(self, path: Path) -> Watcher | None:
        return self.watchers.get(path.parent)

    def _opening(self, vfs: int, name: int | None, file: int, flags: int, flags_out: int) -> int:
        found: int = self._open(vfs, name, file, flags, flags_out)
        path = _path(name)
        watcher = self._watcher(path)
        if found == SQLITE_OK and watcher is not None:
            self._open_files[file] = (watcher, watcher.opened(path, flags))
            handle = _File.from_address(file)
            handle.methods = ctypes.pointer(self._table(handle.methods))
        return found

    def _deleting(self, vfs: int, name: int, with_directory: int) -> int:
        path = _path(name)
        watcher = self._watcher(path)
        if watcher is None:
            return int(self._delete(vfs, name, with_directory))
        return watcher.delete(
            path, is_synced=bool(with_directory), go_on=lambda: self._delete(vfs, name, with_directory)
        )

    def _writing_again(self, log: Path) -> None:
        watcher = self._watcher(log)
        if watcher is None:
            self._write_log_again(log)
        elif log.exists():
            watcher.write_again(log)

    def _table(self, native: Any) -> _Methods:
        """SQLite's method table with our four in their places."""
        address = ctypes.addressof(native.contents)
        if address not in self._tables:
            table = _Methods.from_buffer_copy(native.contents)
            ours = (
                ("write", self._writing(_WRITE(table.write))),
                ("truncate", self._truncating(_TRUNCATE(table.truncate))),
                ("sync", self._syncing(_SYNC(table.sync))),
                ("close", self._closing(_CLOSE(table.close))),
            )
            for name, call in ours:
                self._kept.append(call)
                setattr(table, name, ctypes.cast(call, _pointer).value)
            self._tables[address] = table
        return self._tables[address]

    def _writing(self, native: Any) -> Any:
        def write(file: int, data: int, size: int, at: int) -> int:
            watcher, known = self._open_files[file]
            octets = ctypes.string_at(data, size)
            return watcher.write(known, at, octets, lambda: native(file, data, size, at))

        return _WRITE(write)

    def _truncating(self, native: Any) -> Any:
        def truncate(file: int, size: int) -> int:
            watcher, known = self._open_files[file]
            return watcher.truncate(known, size, lambda: native(file, size))

        return _TRUNCATE(truncate)

    def _syncing(self, native: Any) -> Any:
        def sync(file: int, _flags: int) -> int:
            watcher, known = self._open_files[file]
            # Nothing here needs the real disk: whether it has the bytes is what the watcher knows.
            return watcher.sync(known, lambda: SQLITE_OK)

        return _SYNC(sync)

    def _closing(self, native: Any) -> Any:
        def close(file: int) -> int:
            self._open_files.pop(file, None)
            return int(native(file))

        return _CLOSE(close)


def _path(name: int | None) -> Path:
    """A name as SQLite gives it; a file without one is a temporary one."""
    return Path(ctypes.string_at(name).decode()) if name else Path()


_shims: list[_Shim] = []


def watch(folder: Path, watcher: Watcher) -> None:
    """Tell the watcher of every file that SQLite opens directly in this folder from now on."""
    if not _shims:
        _shims.append(_Shim())
    _shims[0].watchers[folder] = watcher


def forget(folder: Path) -> None:
    """Open the files of this folder as any other from now on."""
    _shims[0].watchers.pop(folder, None)
