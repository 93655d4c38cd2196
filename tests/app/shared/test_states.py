from ui.shared import states
from unet_core.runs.status import STATES


def test_every_state_has_a_colour_and_an_icon() -> None:
    assert set(states.COLORS) == set(states.ICONS) == set(STATES)
