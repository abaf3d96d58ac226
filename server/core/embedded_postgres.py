"""A real PostgreSQL that the server owns: started, watched and stopped with it, in its data directory."""

import asyncio
import fcntl
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import structlog

from server.core.clock import Clock, SystemClock
from server.core.database import Answer, DatabaseUrls, knock
from server.core.errors import DataDirectoryInUse, EmbeddedPostgresError, SetupError
from server.core.postgres_cluster import (
    ADMIN_ROLE,
    APP_ROLE,
    OWNER_ROLE,
    SHARED_DIR,
    ClusterAccess,
    ClusterFiles,
    postgres_environment,
)
from server.core.postgres_programs import Programs, choose_run_as, find_programs, reachable_programs

READY_DEADLINE_MS = 120_000  # crash recovery replays up to max_wal_size (1 GB) from a slow disk
SHARED_MEMORY_DEADLINE_MS = 60_000  # the processes of a killed postmaster end when they next look
FAST_STOP_MS = 10_000
IMMEDIATE_STOP_MS = 5_000
POLL_S = 0.05
WATCH_POLL_S = 0.25
RESTART_DELAY_MAX_S = 30.0
_STILL_IN_USE = ("pre-existing shared memory block", "is another postmaster", "already exists")

ClusterPreparer = Callable[[ClusterAccess], Awaitable[None]]
"""Makes roles and database on a cluster that has just started; must be idempotent."""
Progress = Callable[[str], None]
"""Takes one short sentence for people who wait."""

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """One cluster under `data_dir/postgres`, reached by a unix socket only.

    Call `start` in the main thread: the kernel ends PostgreSQL (fast shutdown) when the thread that started
    it dies, so that a killed server leaves nothing behind.
    """

    def __init__(
        self,
        data_dir: Path,
        prepare: ClusterPreparer,
        *,
        bin_dir: Path | None = None,
        extra_settings: Mapping[str, str] | None = None,
        namespaces: bool = True,
        shared_dir: Path = SHARED_DIR,
    ) -> None:
        """Only remember; `bin_dir` has precedence over the wheel, `extra_settings` over the built-in ones.

        `namespaces=False` makes root become another user in place of entering a user namespace; what that
        user must reach is put under `shared_dir` when the data directory is closed to it.
        """
        self.data_dir = data_dir.absolute()
        self.files = ClusterFiles(self.data_dir, shared_dir)
        self._prepare = prepare
        self._bin_dir = bin_dir
        self._extra_settings = dict(extra_settings or {})
        self._namespaces = namespaces
        self._shared_dir = shared_dir
        self._clock: Clock = SystemClock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._stopping = False

    async def start(self, progress: Progress = lambda _text: None) -> DatabaseUrls:
        """Take the data directory, make the cluster when it is missing, and run it until `stop`.

        Raises DataDirectoryInUse when another process owns it, EmbeddedPostgresError when it cannot run.
        """
        self._take_lock()
        self._stopping = False
        try:
            await self._run(progress)
            await self._prepare(self.files.access())
        except BaseException:
            await self.stop()
            raise
        return self.urls()

    def urls(self) -> DatabaseUrls:
        """Give the URLs of the two roles; they stay the same over restarts."""
        access = self.files.access()
        return DatabaseUrls(owner=access.url(OWNER_ROLE), app=access.url(APP_ROLE))

    def is_alive(self) -> bool:
        """Tell whether the postmaster runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Give the process id of the postmaster while it runs."""
        return self._process.pid if self._process and self.is_alive() else None

    async def stop(self) -> None:
        """End PostgreSQL: connections are cut and data flushed; after 10 s without regard to either.

        Then let go of the data directory. Does nothing when it is stopped already.
        """
        self._stopping = True
        if self._process is not None:
            await _end(self._process.pid, self.is_alive, self._clock)
            self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def watch(self) -> None:
        """Start PostgreSQL again when it dies unexpectedly; a task beside the server; ends with `stop`."""
        delay_s = 0.5
        while not self._stopping:
            await asyncio.sleep(WATCH_POLL_S)
            if self._stopping or self.is_alive():
                continue
            try:
                await self._run(lambda _text: None)
            except SetupError as error:
                if self._stopping:
                    return
                _log.error("postgres_restart_failed", reason=error.detail, again_in_s=delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RESTART_DELAY_MAX_S)
            else:
                delay_s = 0.5
                _log.warning("postgres_restarted", pid=self.pid)

    async def _run(self, progress: Progress) -> None:
        programs = await asyncio.to_thread(self._make_ready, progress)
        await self._end_orphan()
        give_up_ms = self._clock.monotonic_ms() + SHARED_MEMORY_DEADLINE_MS
        progress("Starting PostgreSQL")
        while True:
            if self._stopping:  # told to stop while files were made ready: start nothing that nobody would end
                raise EmbeddedPostgresError("The embedded PostgreSQL was told to stop while it started.")
            log_start = self.files.log.stat().st_size if self.files.log.exists() else 0
            self._process = self._spawn(programs)
            if await self._is_ready(progress):
                return
            said = self._said_since(log_start)
            if self._clock.monotonic_ms() > give_up_ms or not any(words in said for words in _STILL_IN_USE):
                raise EmbeddedPostgresError(f"The embedded PostgreSQL ended while it started: {_reason(said)}")
            await asyncio.sleep(POLL_S * 4)

    def _make_ready(self, progress: Progress) -> Programs:
        run_as = choose_run_as(namespaces=self._namespaces)
        programs = find_programs(self._bin_dir, self.files.major())
        programs = reachable_programs(programs, run_as, self._shared_dir)
        if self.files.major() is None:
            progress(f"Making a PostgreSQL {programs.major} database in {self.files.base}")
        self.files.prepare(programs, run_as, durable=self._extra_settings.get("fsync") != "off")
        self._run_as = run_as
        return programs

    def _spawn(self, programs: Programs) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.files.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "60",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on",
            "synchronous_commit": "on",
            **self._extra_settings,
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        command = self._run_as.command("run", programs.path("postgres"), "-D", str(self.files.cluster), *arguments)
        with self.files.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env=postgres_environment(), start_new_session=True,
            )  # fmt: skip

    async def _is_ready(self, progress: Progress) -> bool:
        """Wait until connections are taken; False when the process ends first."""
        started_ms = self._clock.monotonic_ms()
        told_s = 0
        while self.is_alive():
            if await can_connect(self.files.access()):
                return True
            waited_s = (self._clock.monotonic_ms() - started_ms) // 1000
            if waited_s * 1000 > READY_DEADLINE_MS:
                raise EmbeddedPostgresError(
                    f"The embedded PostgreSQL took no connections for {waited_s} s; its log is {self.files.log}."
                )
            if waited_s >= told_s + 5:
                told_s = waited_s
                progress(f"PostgreSQL is repairing itself after a crash, {waited_s} s so far")
            await asyncio.sleep(POLL_S)
        return False

    async def _end_orphan(self) -> None:
        """End a postmaster that an owner before us left running; ours is the lock, so nobody uses it."""
        pid = postmaster_pid(self.files.cluster)
        if pid is not None:
            _log.warning("orphan_postgres_found", pid=pid)
            await _end(pid, lambda: postmaster_pid(self.files.cluster) == pid, self._clock)
        # What remains is the note of a dead process. Its number may belong to another program by now, which
        # PostgreSQL would take for a running postmaster. Shared memory still guards against its last
        # children.
        if postmaster_pid(self.files.cluster) is None:
            _forget_foreign_pid(self.files.cluster / "postmaster.pid")

    def _said_since(self, offset: int) -> str:
        with self.files.log.open("rb") as log:
            log.seek(offset)
            return log.read(65536).decode("utf-8", "replace")

    def _take_lock(self) -> None:
        if self._lock is not None:
            raise EmbeddedPostgresError("This embedded PostgreSQL was started already.")
        path = self.data_dir / "server.lock"
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = path.open("a+", encoding="ascii")
        except OSError as error:
            raise EmbeddedPostgresError(
                f"DATA_DIR {self.data_dir} cannot be written ({(error.strerror or '').lower()}): choose another."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            pid = int(text) if (text := file.read(20).strip()).isdigit() else None
            file.close()
            raise DataDirectoryInUse(
                f"Another server (process {pid or 'unknown'}) uses the data directory {self.data_dir}: "
                "stop it first, "
                "or give this one its own DATA_DIR.",
                pid=pid,
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._lock = file


@asynccontextmanager
async def connect_or_start(
    postgres: EmbeddedPostgres, progress: Progress = lambda _text: None
) -> AsyncIterator[DatabaseUrls]:
    """Use the cluster of a running server, or run it for as long as the block takes: for commands.

    Raises EmbeddedPostgresError when a server owns the data directory and its database does not answer in 120
    s.
    """
    try:
        urls = await postgres.start(progress)
    except DataDirectoryInUse:
        await _wait_for_other(postgres.files, SystemClock())
        yield postgres.urls()
        return
    try:
        yield urls
    finally:
        await postgres.stop()


async def can_connect(access: ClusterAccess) -> bool:
    """Tell whether the cluster takes connections now. Raises EmbeddedPostgresError for a wrong password."""
    answer = await knock(access.url(ADMIN_ROLE, "postgres"))
    if answer is Answer.REFUSED:
        raise EmbeddedPostgresError(
            "The embedded database refuses its own password: passwords.json beside it is not the one it was made with."
        )
    return answer is Answer.YES


def postmaster_pid(cluster: Path) -> int | None:
    """Give the process id of the postmaster that runs on a cluster now, or None."""
    pid = _noted_pid(cluster / "postmaster.pid")
    return pid if pid is not None and _runs_on(pid, cluster) else None


def _noted_pid(note: Path) -> int | None:
    try:
        return int(note.read_text(encoding="utf-8").splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None


def _runs_on(pid: int, cluster: Path) -> bool:
    """Tell whether a process is a living postmaster of that cluster, not a program that got its number."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(cluster) in arguments and any(
        Path(os.fsdecode(word)).name == "postgres" for word in arguments[:1]
    )


def _forget_foreign_pid(note: Path) -> None:
    pid = _noted_pid(note)
    if pid is not None and Path(f"/proc/{pid}").exists():
        note.unlink(missing_ok=True)


async def _wait_for_other(files: ClusterFiles, clock: Clock) -> None:
    give_up_ms = clock.monotonic_ms() + READY_DEADLINE_MS
    while clock.monotonic_ms() < give_up_ms:
        with suppress(EmbeddedPostgresError):  # a server that is just making its cluster has no passwords yet
            if await can_connect(files.access()):
                return
        await asyncio.sleep(POLL_S * 4)
    raise EmbeddedPostgresError("The running server's database does not answer; look at the server's log.")


async def _end(pid: int, is_alive: Callable[[], bool], clock: Clock) -> None:
    """Fast shutdown (SIGINT), then immediate (SIGQUIT), then the kernel's way."""
    for number, patience_ms in (
        (signal.SIGINT, FAST_STOP_MS),
        (signal.SIGQUIT, IMMEDIATE_STOP_MS),
        (signal.SIGKILL, 5000),
    ):
        if not is_alive():
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        give_up_ms = clock.monotonic_ms() + patience_ms
        while is_alive() and clock.monotonic_ms() < give_up_ms:  # noqa: ASYNC110 - an orphan tells us nothing
            await asyncio.sleep(POLL_S)


def _reason(said: str) -> str:
    lines = [line for line in said.splitlines() if "FATAL" in line or "PANIC" in line] or said.splitlines()[-1:]
    return lines[0] if lines else "it said nothing"
