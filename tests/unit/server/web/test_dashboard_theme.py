"""The dashboard's style and scripts, as far as they can be judged without a browser."""

import re
from pathlib import Path

import pytest

import server.web.assets
from server.web.assets import shipped_assets

FOLDER = Path(server.web.assets.__file__).parent
CSS = (FOLDER / "static" / "dashboard.css").read_text(encoding="utf-8")
PAGE_BYTES_MAX = 200_000
_HTML_FROM_TEXT = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
TEXT_PAIRS = [
    ("ink", "ground"), ("ink", "panel"), ("soft", "ground"), ("soft", "panel"), ("link", "panel"), ("link", "ground"),
    ("button-ink", "button"), ("ink", "unknown-ground"),
    ("ok", "ok-ground"), ("unknown", "unknown-ground"), ("near", "near-ground"), ("at-limit", "at-limit-ground"),
    ("breach", "breach-ground"), ("breach-ground", "breach"),
]  # fmt: skip
# WCAG 2.2, 1.4.11: what carries meaning without being text.
DRAWN_PAIRS = [("focus", "panel"), ("focus", "ground"), ("soft", "panel"), ("ok", "track"), ("near", "track"),
               ("at-limit", "track"), ("breach", "track"), ("unknown", "track")]  # fmt: skip


def _theme(name: str) -> dict[str, str]:
    blocks = re.findall(r":root \{([^}]*)\}", CSS)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[0]))
    if name == "dark":
        dark = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[1]))
        assert dark.keys() == colours.keys(), "a colour lacks its dark twin"
        return dark
    return colours


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_black_on_white_has_the_largest_contrast_there_is() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(theme: str) -> None:
    colours = _theme(theme)
    poor = {pair: contrast(*(colours[one] for one in pair)) for pair in TEXT_PAIRS}
    assert not {pair: ratio for pair, ratio in poor.items() if ratio < 4.5}
    drawn = {pair: contrast(*(colours[one] for one in pair)) for pair in DRAWN_PAIRS}
    assert not {pair: ratio for pair, ratio in drawn.items() if ratio < 3}


def _loaded_by(script: str) -> set[str]:
    """The script and all that it imports, and what that imports."""
    found: set[str] = set()
    waiting = [script]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += re.findall(r'from "\./([a-z_]+\.js)"', (FOLDER / "static" / name).read_text(encoding="utf-8"))
    return found


def test_the_live_page_with_all_it_loads_is_small() -> None:
    loaded = {"dashboard.css", "icon.svg", *_loaded_by("live.js")}
    assert {"board.js", "curve.js", "dom.js"} <= loaded
    weights = {name: (FOLDER / "static" / name).stat().st_size for name in loaded}
    assert sum(weights.values()) < PAGE_BYTES_MAX / 2, weights


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_read_as_html() -> None:
    files = [*(FOLDER / "static").iterdir(), *(FOLDER / "templates" / "dashboard").iterdir()]
    assert len(files) > 15
    for path in files:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn|url\(", text), path.name
        if path.suffix == ".js":
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
            ), path
        if path.suffix == ".html":
            assert not re.search(r"\sstyle=|<style|\son[a-z]+=|\| *safe|<script(?![^>]* src=)", text), path.name


def test_every_script_names_only_files_that_are_there() -> None:
    assets = shipped_assets().by_name
    for name, asset in assets.items():
        for wanted in re.findall(r'from "\./([^"]+)"', asset.content.decode()):
            assert wanted in assets, (name, wanted)


def test_what_moves_can_be_switched_off() -> None:
    moving = re.sub(r"@media \(prefers-reduced-motion: no-preference\) \{.*?\n\}", "", CSS, flags=re.DOTALL)
    assert not re.search(r"animation|transition|@keyframes", moving)
