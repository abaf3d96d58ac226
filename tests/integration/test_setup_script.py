"""The first command a person types: what `make setup` says when the machine lacks something."""

import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / ".ci/setup"

TOO_OLD = '#!/bin/sh\ncase "$2" in *print*) echo 3.8.10 ;; *) exit 1 ;; esac\n'
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *print*) echo 3.11.2 ;; *ensurepip*) exit 1 ;; esac\n'
BROKEN = "#!/bin/sh\nexit 127\n"


@pytest.mark.parametrize(
    ("interpreter", "sentence"),
    [
        (
            TOO_OLD,
            "rollcall: Python 3.11 or newer is needed and {python} is Python 3.8.10; install a newer one",
        ),
        (
            WITHOUT_VENV,
            "rollcall: {python} (Python 3.11.2) has no venv module; install it (Debian, Ubuntu: apt install",
        ),
        (BROKEN, "rollcall: Python 3.11 or newer is needed and {python} cannot be run; install it"),
    ],
    ids=["too old", "without venv", "broken"],
)
def test_a_machine_that_lacks_something_gets_one_sentence(tmp_path: Path, interpreter: str, sentence: str) -> None:
    python = tmp_path / "python3"
    python.write_text(interpreter, encoding="utf-8")
    python.chmod(0o755)
    ended = _run_setup(tmp_path, python)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(sentence.format(python=python))
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_a_machine_without_python_gets_one_sentence(tmp_path: Path) -> None:
    ended = _run_setup(tmp_path, None)
    assert ended.returncode == 2
    assert ended.stderr.startswith("rollcall: Python 3.11 or newer is needed and python3 cannot be run; install it")


def _run_setup(folder: Path, python: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder), "PYTHON": str(python or "")}
    return subprocess.run(
        ["/bin/sh", SETUP],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
