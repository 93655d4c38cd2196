import pytest

from ui.shared import words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-3.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200.0, "3 min 20 s"),
        (3600.0, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
    ],
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (6.0, 16.0, "6 to 16 s"),
        (31.0, 79.0, "30 to 80 s"),
        (56.0, 144.0, "up to 3 min"),
        (75.0, 190.0, "1 to 4 min"),
        (1000.0, 2600.0, "15 to 45 min"),
        (2900.0, 7400.0, "0.5 to 2.5 h"),
        (60_000.0, 150_000.0, "15 to 45 h"),
    ],
)
def test_a_range_of_times_is_rounded_outwards(low: float, high: float, text: str) -> None:
    assert words.span(low, high) == text


def test_a_data_set_that_is_not_known_keeps_its_name() -> None:
    assert words.set_title("dsb2018") == "DSB 2018, fluorescent nuclei"
    assert words.set_title("gone") == "gone"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (682, "682"),
        (31_030_658, "31.0 million"),
        (1.5e11, "150 billion"),
        (999_999, "1.00 million"),
    ],
)
def test_a_count_is_said_in_words(count: float, text: str) -> None:
    assert words.large_count(count) == text


def test_amounts_and_scores_are_written_one_way() -> None:
    assert [words.many(1, "image"), words.many(1067, "image")] == ["1 image", "1,067 images"]
    assert words.many(2, "miss") == "2 misses"
    assert [words.number(0.12345), words.number(None), words.number(float("nan"))] == [
        "0.123", "–", "–",
    ]  # fmt: skip
    assert words.number(0.00123, "{:.2g}") == "0.0012"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("threshold must be in (0, 1], got 1.7", r"threshold must be in (0, 1\], got 1.7"),
        ("x` [Sign in](https://a.b)", "x\\` \\[Sign in\\](https:\u2060//a.b)"),
        ("min_size __init__ *a*", r"min_size \_\_init\_\_ \*a\*"),
        (":red[hot] :material/x: :up:", ":\u2060red\\[hot\\] :\u2060material/x: :\u2060up:"),
        ("$x$ <b> &lt; a|b ~~s~~ # !", r"\$x\$ \<b\> \&lt; a\|b \~\~s\~\~ \# \!"),
        ("www.a.b me@a.b", "www\u2060.a.b me@\u2060a.b"),
        ("- one\n\n    two", "\u2060- one two"),
        ("1. one", "\u20601. one"),
        ("Place 3: 10 px, 1/2", "Place 3: 10 px, 1/2"),
    ],
)  # fmt: skip
def test_what_somebody_else_wrote_is_shown_as_it_stands(text: str, shown: str) -> None:
    assert words.plain(text) == shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no run 'x' in /home/me/runs", "no run 'x' in …/runs"),
        (r"C:\data\cells.tif is empty", "…/cells.tif is empty"),
        ("half 1/2, train/val/test, https://a.b/c/d", "half 1/2, train/val/test, https://a.b/c/d"),
    ],
)
def test_no_path_of_the_server_is_told(text: str, told: str) -> None:
    assert words.hide_folders(text) == told


def test_a_sample_with_a_hash_for_a_name_is_called_by_its_number() -> None:
    assert words.sample_title("0bda515e370294ed94efd36bd53782288acacb040c171df2", 3) == "image 3"
    assert words.sample_title("train-03", 3) == "train-03"
