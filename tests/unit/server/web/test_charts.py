"""Charts say in words what they show, and put it at the right places; nothing in them could run."""

from server.web.charts import HEIGHT, Bars, Drawing, Line, Shape, curve, heat_map, histogram, told


def parts(drawn: Drawing, tag: str) -> list[Shape]:
    return [shape for shape in drawn.shapes if shape.tag == tag]


def test_a_curve_goes_through_its_points_and_is_named() -> None:
    drawn = curve("In & out", [Line("present", [(480, 0), (540, 10)]), Line("limit", [])], (480, 600))
    (path,) = parts(drawn, "path")
    assert path.attributes == {"d": "M40.0 194.0H375.0V14.0", "class": "present"}
    assert drawn.title == "In & out"
    assert [one.text for one in parts(drawn, "text")] == ["0", "5", "10", "08:00", "10:00"]


def test_a_histogram_has_bars_as_high_as_their_values() -> None:
    drawn = histogram("Came", [Bars("came", {480: 5, 495: 10, 900: 3}), Bars("went", {480: 0})], (480, 600), step=15)
    boxes = [one.attributes for one in parts(drawn, "rect")]
    assert [box["height"] for box in boxes] == ["90.0", "180.0"]
    assert all(float(box["y"]) + float(box["height"]) == HEIGHT - 26 for box in boxes)


def test_a_heat_map_tells_every_cell_by_its_number_and_never_by_colour_alone() -> None:
    drawn = heat_map("Week", {(1, 8): 10.0, (1, 9): 4.0, (3, 8): 25.0}, (8, 10), full=20)
    assert [one.attributes["class"] for one in parts(drawn, "rect")] == [
        "heat level-3", "heat level-1", "heat level-5", "heat level-0",
    ]  # fmt: skip
    assert [one.text for one in parts(drawn, "text")] == ["Mon", "10", "4", "Wed", "25", "0", "08", "09"]


def test_a_chart_of_nothing_is_a_chart_and_no_shape_has_a_style_or_a_handler() -> None:
    for drawn in (
        curve("Day", [Line("present", [(1, 2)])], (0, 60)),
        heat_map("Week", {}, (8, 8), full=0),
        histogram("Times", [], (0, 0), step=15),
    ):
        names = {name for shape in drawn.shapes for name in shape.attributes}
        assert names <= {"x", "y", "x1", "x2", "y1", "y2", "width", "height", "d", "class", "text-anchor"}
        assert {shape.tag for shape in drawn.shapes} <= {"line", "text", "rect", "path"}
    assert told(485) == "08:05"
