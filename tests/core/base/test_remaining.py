from unet_core.base.remaining import Remaining


def test_what_is_left_is_told_by_the_pieces_since_the_first_call() -> None:
    now = [0.0]
    remaining = Remaining(lambda: now[0])
    assert remaining.estimate(100, 110) is None  # done by a process before this one
    now[0] = 4.0
    assert remaining.estimate(102, 110) == 16.0
    now[0] = 5.0
    assert remaining.estimate(110, 110) == 0.0


def test_other_work_is_estimated_anew_and_without_a_number_nothing_is_known() -> None:
    now = [0.0]
    remaining = Remaining(lambda: now[0])
    for done, total in ((0, 0), (0, 4), (1, 4)):
        found = remaining.estimate(done, total)
        now[0] += 10.0
    assert found == 30.0
    assert remaining.estimate(0, 2) is None
    now[0] += 1.0
    assert remaining.estimate(1, 2) == 1.0
