"""The pictures of the docs are drawn by the program they show."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.kiosk_program import STORIES, draw

EXPECTED = {
    "roster": "confirmed",
    "offline": "OFFLINE since 07:41, 2 waiting",
    "collect": "MAY NOT COLLECT",
    "unlock": "This desk is locked",
    "family": "Y I have read this",
}


@pytest.mark.parametrize("name", EXPECTED)  # drawing takes seconds: the others are journeys of other tests
async def test_each_picture_shows_its_story_and_fetches_nothing(name: str) -> None:
    svg = await draw(name)
    words = " ".join("".join(ET.fromstring(svg).itertext()).replace("\xa0", " ").split())
    assert EXPECTED[name] in words
    assert "url(http" not in svg


def test_the_docs_have_every_picture() -> None:
    folder = Path(__file__).resolve().parents[4] / "docs" / "screens"
    assert {path.name for path in folder.glob("kiosk-*.svg")} == {f"kiosk-{name}.svg" for name in STORIES}
