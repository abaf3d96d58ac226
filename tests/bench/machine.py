"""What the machine was doing: versions, load, memory, and the processor time of every part."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from server.core.embedded_postgres import postmaster_pid
from server.core.postgres_cluster import ClusterFiles

PACKAGES = ("uvicorn", "websockets", "asyncpg", "sqlcipher3", "msgspec", "cryptography")
_PROC = Path("/proc")
_KIB = 1024


def versions() -> str:
    """What runs here."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"Python {platform.python_version()} on {platform.system()} {platform.machine()}; {packages}"


def load() -> str:
    """Cores, and how many processes wanted one in the last 1, 5 and 15 minutes."""
    return f"{os.cpu_count()} cores, load {' '.join(f'{one:.2f}' for one in os.getloadavg())}"


def resident_kib(pid: int) -> int:
    """The memory of a process that is in RAM, in KiB."""
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(answer.stdout)


class Processors:
    """Says how much processor time each part took since it was made; nothing where the system does not tell."""

    def __init__(self, server_pid: int, server_data: Path, kiosks: Sequence[int] = ()) -> None:
        """Watch the server, its database, this process, and the processes of kiosks that run beside it."""
        self._kiosks = kiosks
        self._server_pid = server_pid
        self._postmaster = postmaster_pid(ClusterFiles(server_data).cluster)
        self._begun_s = time.perf_counter()
        self._before = self._taken_s()

    def words(self) -> str:
        """Who worked for how long; it depends far less on what else runs than a time does."""
        took_s = time.perf_counter() - self._begun_s
        now = self._taken_s()
        parts = [f"{name} {now[name] - before:.2f} s" for name, before in self._before.items()]
        return f"processor time within {took_s:.2f} s: {', '.join(parts)}" if parts else ""

    def server_s(self) -> float:
        """Seconds of the server's processor time so far; 0 where the system does not tell."""
        return self._taken_s().get("server", 0.0) - self._before.get("server", 0.0)

    def _taken_s(self) -> dict[str, float]:
        if not (_PROC / "self" / "stat").exists():
            return {}
        times = os.times()
        return {
            "server": _own_s(self._server_pid),
            "PostgreSQL": _family_s(self._postmaster) if self._postmaster else 0.0,
            "kiosks": sum(times[:4]) + sum(_own_s(pid) for pid in self._kiosks),
        }


def _own_s(pid: int) -> float:
    return sum(_ticks(pid)[:2]) / os.sysconf("SC_CLK_TCK")


def _family_s(parent: int) -> float:
    """A process with its children, those that ended included."""
    ticks = sum(_ticks(parent))
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and _parent_of(int(entry.name)) == parent:
            ticks += sum(_ticks(int(entry.name))[:2])
    return ticks / os.sysconf("SC_CLK_TCK")


def _parent_of(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _ticks(pid: int) -> list[int]:
    """User and system time of the process, then of its children that ended."""
    fields = _stat(pid)
    return [int(field) for field in fields[11:15]] if fields else [0, 0, 0, 0]


def _stat(pid: int) -> list[str]:
    """The fields after the name: state, parent, and so on (proc(5))."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
