"""Laws of the small plots: all of it lies inside, in the right order."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from edgekit.report.plots import Axis, Line, plot, round_step

numbers = st.floats(-1e15, 1e15)
LOOKS = [Axis(title="a"), Axis(title="a", from_zero=False)]


@given(
    points=st.lists(st.tuples(numbers, numbers), min_size=2, max_size=30),
    axis=st.sampled_from(LOOKS),
)
def test_every_corner_and_label_lies_in_the_picture(
    points: list[tuple[float, float]], axis: Axis
) -> None:
    root = ET.fromstring(plot([Line(name="<b>", points=points, marked=points[:1])], axis, axis))
    picture = next(root.iter("svg"))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    (line,) = root.iter("polyline")
    places = [tuple(map(float, each.split(","))) for each in line.attrib["points"].split()]
    places += [(float(e.attrib["x"]), float(e.attrib["y"])) for e in picture.iter("text")]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in places)


@given(st.floats(1e-9, 1e15))
def test_an_axis_has_a_handful_of_round_numbers(span: float) -> None:
    assert 1.5 <= span / round_step(span) <= 5.000001


def test_higher_numbers_stand_higher() -> None:
    root = ET.fromstring(plot([Line(name="", points=[(0, 1), (1, 2)])], *LOOKS))
    (line,) = root.iter("polyline")
    (_, low), (_, high) = (each.split(",") for each in line.attrib["points"].split())
    assert float(high) < float(low)


def test_one_point_is_no_curve() -> None:
    assert plot([Line(name="", points=[(1, 1)])], *LOOKS) == ""


def test_lines_with_names_have_a_legend() -> None:
    line = [(0.0, 1.0), (1.0, 2.0)]
    made = plot([Line(name="one & two", points=line), Line(name="", points=line)], *LOOKS)
    assert made.count("<span>") == 1
    assert "one &amp; two" in made
