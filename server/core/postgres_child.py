"""A small program that prepares its own process for PostgreSQL and then becomes it.

It runs as `python -I -S postgres_child.py PARENT_PID WAY run PROGRAM ARGUMENT...`, imports nothing of the
server, and does between fork and exec what a function in a threaded parent cannot do safely: it arranges to
be told when the parent dies, and leaves root, which PostgreSQL refuses. WAY is one of

    self             stay who we are
    namespace        a user namespace in which root is called uid 65534 (user_namespaces(7))
    user:UID:GID     become another user for good

`probe PATH` in place of `run PROGRAM` exits 0 when that process could read and search PATH.
"""

import ctypes
import os
import signal
import sys

EXIT_WAY_CLOSED = 71  # EX_OSERR of sysexits.h
EXIT_PARENT_GONE = 72
EXIT_NOT_REACHABLE = 73
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_UID_INSIDE = 65534


def main(arguments: list[str]) -> int:
    """Prepare, then run or probe; returns only when there is nothing to become."""
    parent_pid, way, action, *command = arguments
    try:
        _leave_root(way)
    except OSError:
        return EXIT_WAY_CLOSED
    os.umask(0o077)
    if action == "probe":
        return 0 if all(os.access(path, os.R_OK | os.X_OK) for path in command) else EXIT_NOT_REACHABLE
    _die_with(int(parent_pid), signal.SIGINT if action == "run" else signal.SIGKILL)
    os.execv(command[0], command)  # noqa: S606 - the program is chosen by our own parent
    return EXIT_WAY_CLOSED


def _leave_root(way: str) -> None:
    if way == "namespace":
        _enter_namespace()
    elif way.startswith("user:"):
        _word, uid, gid = way.split(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))


def _enter_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_UID_INSIDE} {uid} 1"),
        ("gid_map", f"{_UID_INSIDE} {gid} 1"),
    ):
        # pathlib would be slow to import
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)


def _die_with(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel for a signal when the parent dies; must follow every change of user, which clears it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before we could ask
        os._exit(EXIT_PARENT_GONE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
