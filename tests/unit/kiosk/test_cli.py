"""What the command line decides before a desk is opened."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kiosk.cli import app
from kiosk.services.desk_file import Photos, read_desk_file
from kiosk.showing import WEB_DRIVER, Wish, _driver_for, plain_wish
from kiosk.widgets.photo_driver import PhotoDriver

runner = CliRunner()


def test_a_terminal_is_asked_what_it_draws_unless_a_browser_or_the_file_says_no(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(WEB_DRIVER, raising=False)
    path = tmp_path / "desk.toml"
    assert _driver_for(read_desk_file(path).screen.photos) is PhotoDriver
    path.write_text("[screen]\nphotos = 'blocks'\n", encoding="utf-8")
    assert _driver_for(read_desk_file(path).screen.photos) is None
    monkeypatch.setenv(WEB_DRIVER, "textual.drivers.web_driver:WebDriver")
    assert _driver_for(Photos.GRAPHICS) is None


def test_the_everyday_start_is_understood_without_the_library_of_the_command_line() -> None:
    assert plain_wish(["run", "--data", "/desk"]) == Wish(Path("/desk"))
    assert plain_wish(
        ["run", "--list-old-hours", "720", "--data", "d", "--idle-lock-seconds", "10", "--ctrl-c-quits"]
    ) == Wish(Path("d"), 10, 720, ctrl_c_quits=True)
    wish = Wish(Path("d"))
    told = runner.invoke(app, ["run", "--help"]).output  # both ways have the same values where nothing is said
    assert all(f"[default: {usual}" in told for usual in (wish.idle_lock_s, wish.list_old_hours))


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "run",
        "--help",
        "agent --data d",
        "run --data",
        "run --data d --help",
        "run --data d --web",
        "run --data=d",
        "run --data --web",
        "run --data d --data e",
        "run --data d e",
        "run d",
        "run --ctrl-c-quits --data d",
        "run --data d --port 1",
        "run --data d --idle-lock-seconds 9",
        "run --data d --idle-lock-seconds 86401",
        "run --data d --idle-lock-seconds -5",
        "run --data d --idle-lock-seconds",
        "run --data d --list-old-hours 721",
        "run --data d --list-old-hours ٣",
        "run --data d --list-old-hours 1e1",
    ],
)
def test_every_other_command_line_is_left_to_the_one_that_can_explain_it(arguments: str) -> None:
    assert plain_wish(arguments.split()) is None
