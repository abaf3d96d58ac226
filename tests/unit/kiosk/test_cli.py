"""What the command line decides before a desk is opened."""

from pathlib import Path

import pytest

from kiosk.cli import WEB_DRIVER, _driver_for
from kiosk.services.desk_file import Photos, read_desk_file
from kiosk.widgets.photo_driver import PhotoDriver


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
