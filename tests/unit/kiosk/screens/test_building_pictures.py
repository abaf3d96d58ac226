"""The pictures of the day beside the door are drawn by the screens they show."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.building_program import STORIES, draw

# Drawing takes seconds: the journeys go through the other pages.
DRAWN = ("rollcall",)
EXPECTED = {
    "rollcall": "07:58 Back door",
}


@pytest.mark.parametrize("name", DRAWN)
async def test_a_picture_shows_its_story_and_fetches_nothing(name: str, tmp_path: Path) -> None:
    svg = await draw(name, tmp_path / "desk")
    words = " ".join("".join(ET.fromstring(svg).itertext()).replace("\xa0", " ").split())
    assert EXPECTED[name] in words
    assert "url(http" not in svg


def test_the_docs_have_every_picture() -> None:
    folder = Path(__file__).resolve().parents[4] / "docs" / "screens"
    assert {path.name for path in folder.glob("building-*.svg")} == {f"building-{name}.svg" for name in STORIES}
