"""Everything that decides the labels of some files, and the command that makes them again."""

import json
import shlex
from dataclasses import dataclass

from unet_core import __version__
from unet_core.base.config import ModelConfig, Segmentation
from unet_core.base.settings import Settings, option
from unet_core.imaging import images

SMALLEST_WINDOW = 16  # pixels: smaller ones take for ever and see nothing
MOST_ROTATIONS = 36
MARK = "TEST IMAGES"  # what `tuned_on` begins with where test images have chosen the settings


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """What was done to which files: round-trips through recipe.json."""

    files: tuple[str, ...]
    files_sha256: tuple[str, ...]
    model: str
    model_sha256: str
    segmentation: Segmentation
    plane: int | None = option(None, "Which plane of a stack, from 0.", low=0)
    channel: int | str | None = option(
        None, "Which channel, from 0, or grey for the mix of all; none takes the only filled one."
    )
    invert: bool = option(False, "Objects are dark on a bright background.")
    scale: float = option(
        1.0,
        "Enlarge the image by this before the network sees it, so that its objects are as large "
        "as those it was trained on. The labels have the image's own size.",
        low=0.05,
        high=20.0,
    )
    flips: bool = option(
        False, "Average over the 8 flips and rotations: a little better, 8 times slower."
    )
    rotations: int = option(
        0,
        "Average over that many rotations by equal angles; Ronneberger and others took 7. 0 is "
        "off. Not together with a sliding window.",
        low=0,
        high=MOST_ROTATIONS,
    )
    window: int = option(
        0,
        "Slide a square of this many pixels over the image by half its side, show each to the "
        "network on its own, and average; 0 shows the image whole.",
        low=0,
        high=4096,
    )
    tuned_on: str = ""  # the images that chose the segmentation, for whoever reads the recipe
    version: str = __version__

    def check(self) -> None:
        """Refuse lists that do not belong together, and an impossible channel."""
        if len(self.files) != len(self.files_sha256):
            raise ValueError(
                "files and files_sha256 must be equally long, "
                f"got {len(self.files)} and {len(self.files_sha256)}"
            )
        if 0 < self.window < SMALLEST_WINDOW:
            raise ValueError(f"window must be 0 or at least {SMALLEST_WINDOW}, got {self.window}")
        if self.window and self.rotations:
            raise ValueError(
                "window and rotations do not go together: leave one out, "
                f"got {self.window} and {self.rotations}"
            )
        channel = self.channel
        if channel not in (None, "grey") and not (isinstance(channel, int) and channel >= 0):
            raise ValueError(f"channel must be a number from 0, or grey, got {channel!r}")

    def digest(self) -> str:
        """A hash of the recipe: equal for equal files, model, settings and version."""
        return images.sha256(self.to_json())

    def to_json(self) -> bytes:
        """The content of recipe.json."""
        return (json.dumps(self.to_dict(), indent=2) + "\n").encode()

    def command(self) -> str:
        """The shell command that makes the same labels from the same files."""
        chosen = self.segmentation.to_dict()
        # A file whose name begins like an option is still a file.
        files = [f"./{name}" if name.startswith("-") else name for name in self.files]
        words = ["python", "-m", "unet_core", "segment", *files, "--model", self.model]
        for name, value in {
            "plane": self.plane,
            "channel": self.channel,
            "invert": self.invert or None,
            "scale": None if self.scale == 1 else self.scale,
            "flips": self.flips or None,
            "rotations": self.rotations or None,
            "window": self.window or None,
            **chosen,
        }.items():
            words += flag(name, value)
        return shlex.join(words)


def where_tuned(config: ModelConfig, settings: Segmentation) -> str:
    """Which images chose these settings of a model; empty for defaults that nobody chose."""
    return config.tuned_on if settings == config.segmentation else "given by hand"


def is_marked(tuned_on: str) -> bool:
    """Whether some settings were chosen on test images."""
    return tuned_on.startswith(MARK)


def flag(name: str, value: object) -> list[str]:
    """A setting as words of a command; None says nothing."""
    dashed = name.replace("_", "-")
    if value is None:
        return []
    if isinstance(value, bool):
        return [f"--{dashed}" if value else f"--no-{dashed}"]
    # repr, for 0.1 + 0.2 must come back as what it was.
    return [f"--{dashed}", value if isinstance(value, str) else repr(value)]
