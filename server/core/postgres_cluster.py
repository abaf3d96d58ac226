"""The files of the embedded PostgreSQL: where they are, whose they are, and how they come to be."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from server.core.database import socket_url
from server.core.errors import EmbeddedPostgresError
from server.core.postgres_programs import Programs, RunAs
from server.core.private_files import write_private

DATABASE = "rollcall"
ADMIN_ROLE, OWNER_ROLE, APP_ROLE = "rollcall_admin", "rollcall_owner", "rollcall_app"
SHARED_DIR = Path("/var/lib/rollcall")
_SOCKET_NAME = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES_MAX = 107  # sun_path of unix(7) without its final NUL
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")
_BUILTIN_LOCALES_SINCE = 17
_INITDB_TIMEOUT_S = 120.0
_LOG_BYTES_MAX = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """What is needed to reach a cluster: the directory of its socket and the passwords of its three roles."""

    socket_dir: Path
    passwords: dict[str, str] = field(repr=False)

    def url(self, role: str, database: str = DATABASE) -> str:
        """Give the URL of a database as one of the roles."""
        return socket_url(self.socket_dir, role=role, password=self.passwords[role], database=database)


class ClusterFiles:
    """The paths under one data directory. For everything that writes, the caller holds its lock."""

    def __init__(self, data_dir: Path, shared_dir: Path = SHARED_DIR) -> None:
        """Only compute; nothing is read or written."""
        self.base = data_dir.absolute() / "postgres"
        self._shared_dir = shared_dir

    @property
    def home(self) -> Path:
        """Give the directory that holds the cluster: `base`, or the place `base/location` names."""
        location = self.base / "location"
        return Path(location.read_text(encoding="utf-8").strip()) if location.exists() else self.base

    @property
    def cluster(self) -> Path:
        """Give the directory PostgreSQL calls PGDATA."""
        return self.home / "cluster"

    @property
    def log(self) -> Path:
        """Give the file that takes what PostgreSQL prints."""
        return self.base / "postgres.log"

    @property
    def socket_dir(self) -> Path:
        """Give the directory of the socket: beside the cluster, or a short one when that path is too long."""
        path = self.home / "socket"
        if _PLAIN_PATH.fullmatch(str(path)) and len(f"{path}/{_SOCKET_NAME}".encode()) <= _SOCKET_PATH_BYTES_MAX:
            return path
        return Path(tempfile.gettempdir()) / f"rollcall-{os.geteuid()}-{_short_hash(self.home)}"

    def major(self) -> int | None:
        """Give the major version of PostgreSQL that made the cluster, or None when there is none yet."""
        try:
            return int((self.cluster / "PG_VERSION").read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None

    def access(self) -> ClusterAccess:
        """Give what is needed to connect. Raises EmbeddedPostgresError when the passwords cannot be read."""
        path = self.base / "passwords.json"
        try:
            return ClusterAccess(self.socket_dir, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise EmbeddedPostgresError(
                f"The passwords of the embedded database cannot be read from {path}: restore that file from a backup."
            ) from error

    def prepare(self, programs: Programs, run_as: RunAs, *, durable: bool) -> None:
        """Make everything that is missing and see that the cluster belongs to who will run it.

        Killed at any moment, it can be called again: a cluster appears whole by one rename. Blocks for
        seconds.
        """
        self.base.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._choose_home(run_as)
        if not (self.base / "passwords.json").exists() and self.major() is None:
            roles = (ADMIN_ROLE, OWNER_ROLE, APP_ROLE)
            write_private(self.base / "passwords.json", json.dumps({role: secrets.token_urlsafe(32) for role in roles}))
        if self.major() is None:
            self._initialise(programs, run_as, durable=durable)
        _give(self.cluster, run_as)
        self._make_socket_dir(run_as)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _choose_home(self, run_as: RunAs) -> None:
        if not run_as.switches_user:
            return
        if self.major() is None and not (self.base / "location").exists() and not run_as.reaches(self.base.parent):
            home = self._shared_dir / _short_hash(self.base)
            home.mkdir(parents=True, exist_ok=True)
            write_private(self.base / "location", str(home))
        if self.home == self.base:
            self.base.chmod(0o711)  # to be passed through, not listed; every file inside has its own mode
        if not run_as.reaches(self.home.parent):
            raise EmbeddedPostgresError(
                f"The embedded database in {self.home} runs as uid {run_as.uid}, which cannot reach it: "
                "make its parent "
                "directories searchable (chmod o+x), or start the server as a normal user, or set "
                "DATABASE_URL."
            )

    def _initialise(self, programs: Programs, run_as: RunAs, *, durable: bool) -> None:
        for leftover in self.home.glob("cluster.new-*"):
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()
        draft = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.home))
        password_file = draft.with_name(f"{draft.name}.password")
        try:
            _write_for(password_file, self.access().passwords[ADMIN_ROLE], run_as)
            os.chown(draft, run_as.uid, run_as.gid)
            _initdb(programs, run_as, draft, password_file, durable=durable)
            _write_for(draft / "pg_hba.conf", "local all all scram-sha-256\n", run_as)
            draft.rename(self.cluster)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(draft, ignore_errors=True)

    def _make_socket_dir(self, run_as: RunAs) -> None:
        path = self.socket_dir
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        # Under /tmp somebody else may have made it first, to listen in.
        if path.is_symlink() or found.st_uid not in {os.geteuid(), run_as.uid}:
            raise EmbeddedPostgresError(f"{path} belongs to somebody else: remove it, or choose a shorter DATA_DIR.")
        path.chmod(0o700)
        os.chown(path, run_as.uid, run_as.gid)


def _initdb(programs: Programs, run_as: RunAs, directory: Path, password_file: Path, *, durable: bool) -> None:
    locale = ["--locale=C.UTF-8"]
    if programs.major >= _BUILTIN_LOCALES_SINCE:  # the same order and case rules on every machine
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command = run_as.command(
        "step", programs.path("initdb"), f"--pgdata={directory}", f"--username={ADMIN_ROLE}",
        f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8", "--lc-messages=C",
        "--data-checksums", *locale, *([] if durable else ["--no-sync"]),
    )  # fmt: skip
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_INITDB_TIMEOUT_S,
            env=postgres_environment(), cwd="/", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise EmbeddedPostgresError(
            f"initdb was not done after {_INITDB_TIMEOUT_S:.0f} s; is the disk slow?"
        ) from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        reason = lines[0] if lines else f"exit status {done.returncode}"
        raise EmbeddedPostgresError(f"The embedded database could not be made in {directory.parent}: {reason}")


def postgres_environment() -> dict[str, str]:
    """Give an environment in which nobody's PG* variables or locale change what PostgreSQL does."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC"}


def _write_for(path: Path, text: str, run_as: RunAs) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    os.chown(path, run_as.uid, run_as.gid)


def _give(directory: Path, run_as: RunAs) -> None:
    """Give a directory tree to who will run PostgreSQL, which refuses files of anybody else."""
    owner = directory.stat().st_uid
    if owner == run_as.uid:
        return
    if os.geteuid() != 0:
        raise EmbeddedPostgresError(
            f"The embedded database in {directory} belongs to another user (uid {owner}): start the "
            "server as that "
            f"user, or give it to yourself with: chown -R {run_as.uid} {directory.parent}"
        )
    for path in (directory, *directory.rglob("*")):
        os.chown(path, run_as.uid, run_as.gid, follow_symlinks=False)


def _short_hash(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
