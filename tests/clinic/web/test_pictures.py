import io

import numpy as np
import pytest
from PIL import Image

from myosono.clinic.web.charts import SHARES, Box, Point, box_chart, counts_axis, point_chart, stack_chart
from myosono.clinic.web.pictures import SHRINKAGE, PictureCache, map_png
from myosono.clinic.work.maps import pack
from myosono.errors import NotFoundError


def test_the_cache_makes_a_picture_once(tmp_path):
    cache = PictureCache(tmp_path / "cache")
    made = []

    def make() -> bytes:
        made.append(1)
        return b"picture"

    assert [cache.get("abc-frame", make) for _ in range(3)] == [b"picture"] * 3
    assert len(made) == 1


def test_the_cache_drops_the_oldest_beyond_its_limit(tmp_path):
    cache = PictureCache(tmp_path, limit=250)
    for number in range(5):
        cache.get(f"{number}{number}-x", lambda: bytes(100))
        path = tmp_path / f"{number}{number}" / f"{number}{number}-x"
        import os

        os.utime(path, (number, number))
    cache.shrink()
    assert sorted(path.name for path in tmp_path.rglob("*-x")) == ["33-x", "44-x"]


def test_a_full_disk_costs_the_copy_not_the_picture(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert PictureCache(tmp_path / "cache").get("abc", lambda: b"picture") == b"picture"


def test_a_map_is_opaque_where_it_speaks_for_the_class():
    maps = np.zeros((2, 4, 4), np.float32)
    maps[1, 0, 0] = 1.0
    packed = pack(maps, np.full((4, 4), 0.5, np.float32))
    picture = np.asarray(Image.open(io.BytesIO(map_png(packed, ("Normal", "IBM"), "IBM", (80, 40)))))
    assert picture.shape == (40, 80, 4)
    assert picture[0, 0, 3] > 200
    assert picture[-1, -1, 3] == 0
    against = np.asarray(Image.open(io.BytesIO(map_png(packed, ("Normal", "IBM"), "Normal", (80, 40)))))
    assert against[0, 0, 3] == 0
    even = np.asarray(Image.open(io.BytesIO(map_png(packed, ("Normal", "IBM"), SHRINKAGE, (80, 40)))))
    assert (even[..., 3] == 255).all()
    with pytest.raises(NotFoundError, match="no such map"):
        map_png(packed, ("Normal", "IBM"), "PM", (80, 40))


def test_charts_escape_what_they_are_given_and_leave_gaps():
    chart = stack_chart("<b>", ["<i>"], [[1, 2]], counts_axis(4))
    assert "<b>" not in chart
    assert "<i>" not in chart
    assert chart.count("part part-") == 2
    boxes = box_chart("x", ["a", "b"], [None, Box(0, 0.25, 0.5, 0.75, 1)], SHARES)
    assert boxes.count('class="box"') == 1
    points = point_chart("x", ["a", "b", "c"], [Point(0.5, 0.4, 0.6), None, Point(0.1, 0, 0.2)], SHARES)
    assert points.count('class="point"') == 2
    assert 'class="curve"' not in points  # no line across a week without studies


@pytest.mark.parametrize("most", [1, 3, 9, 17, 400, 12_345])
def test_an_axis_holds_its_largest_count(most):
    axis = counts_axis(most)
    assert axis.high >= most
    assert len(axis.ticks) == 5
