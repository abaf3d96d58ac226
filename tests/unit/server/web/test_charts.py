"""Charts are drawings that say in words what they show, at the right places, and hold nothing that could run."""

from xml.etree import ElementTree as ET

from server.web.charts import HEIGHT, Bars, Line, curve, heat_map, histogram, told

SVG = "{http://www.w3.org/2000/svg}"


def parts(drawn: str, tag: str) -> list[ET.Element]:
    return list(ET.fromstring(drawn).iter(tag))


def test_a_curve_goes_through_its_points_and_is_named() -> None:
    drawn = curve("In & <out>", [Line("present", [(480, 0), (540, 10)]), Line("limit", [])], (480, 600))
    (path,) = parts(drawn, "path")
    assert path.attrib["d"] == "M40.0 194.0H375.0V14.0"
    assert ET.fromstring(drawn).attrib["aria-label"] == "In & <out>"
    assert [one.text for one in parts(drawn, "text")] == ["0", "5", "10", "08:00", "10:00"]


def test_a_histogram_has_bars_as_high_as_their_values() -> None:
    drawn = histogram("Came", [Bars("came", {480: 5, 495: 10, 900: 3}), Bars("went", {480: 0})], (480, 600), step=15)
    heights = [float(one.attrib["height"]) for one in parts(drawn, "rect")]
    assert heights == [90.0, 180.0]
    assert all(float(one.attrib["y"]) + float(one.attrib["height"]) == HEIGHT - 26 for one in parts(drawn, "rect"))


def test_a_heat_map_tells_every_cell_by_its_number_and_never_by_colour_alone() -> None:
    drawn = heat_map("Week", {(1, 8): 10.0, (1, 9): 4.0, (3, 8): 25.0}, (8, 10), full=20)
    assert [one.attrib["class"] for one in parts(drawn, "rect")] == [
        "heat level-3", "heat level-1", "heat level-5", "heat level-0",
    ]  # fmt: skip
    assert [one.text for one in parts(drawn, "text")] == ["Mon", "10", "4", "Wed", "25", "0", "08", "09"]


def test_nothing_of_a_chart_runs_or_needs_a_style_that_the_policy_forbids() -> None:
    for drawn in (
        curve("<script>", [Line("present", [(1, 2)])], (0, 60)),
        heat_map('" onload="x', {}, (8, 8), full=0),
        histogram("x", [], (0, 0), step=15),
    ):
        assert "style=" not in drawn
        assert "<script" not in drawn
        names = {name for one in ET.fromstring(drawn).iter() for name in one.attrib}
        assert not [name for name in names if name.startswith("on")]
    assert told(485) == "08:05"
