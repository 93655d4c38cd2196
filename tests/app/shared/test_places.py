"""Places in the address: read back as written, and told when they are in no image."""

import pytest
from streamlit.testing.v1 import AppTest

from ui.shared import places


def read(place: str, image: str = "a,b", shape: tuple[int, int] = (50, 60)) -> AppTest:
    def script(image: str, shape: tuple[int, int]) -> None:
        import streamlit as st

        from ui.shared import places

        st.text(repr(places.read(image, shape)))

    app = AppTest.from_function(script, kwargs={"image": image, "shape": shape})
    app.query_params[places.KEY] = place
    return app.run()


def test_a_place_is_read_back_for_its_own_image_alone() -> None:
    written = places.write("a,b", (1, 2, 30, 40))
    assert read(written).text[0].value == "(1, 2, 30, 40)"
    other = read(written, image="other")
    assert other.text[0].value == "None"
    assert not other.caption


@pytest.mark.parametrize("box", ["1,2,30,61", "5,2,5,40", "-1,0,4,4", "a,b,c,d"])
def test_a_place_that_is_not_in_the_image_is_told(box: str) -> None:
    app = read(f"a,b,{box}")
    assert app.text[0].value == "None"
    assert "not in this image" in app.caption[0].value
    assert read("a,b").text[0].value == "None"
