"""What five public tutorials do, setting by setting, and where our `-original` presets stand.

The facts were read in the tutorials and in the code of their repositories. Each says what theirs
is in the words of our settings, so that a preset is compared with it and not with what we think of
the preset: what is equal stands in a page's table of the same, everything else in that of the
different, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unet_core.base.config import TrainConfig
from unet_core.training.presets import preset


@dataclass(frozen=True)
class Fact:
    """One thing that a tutorial does.

    `settings` are theirs, as on the command line; none where no setting of ours can say it. `why`
    is needed where the preset does otherwise.
    """

    what: str
    theirs: str
    settings: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Tutorial:
    """A tutorial: its page in docs/tutorials, its presets to the letter, and its facts.

    What we would do is each preset without its "-original".
    """

    page: str
    presets: tuple[str, ...]
    facts: tuple[Fact, ...]


def differs(fact: Fact, config: TrainConfig) -> bool:
    """Whether a configuration does not do what a fact says."""
    return not fact.settings or config.with_text(fact.settings) != config


@dataclass(frozen=True)
class Change:
    """What our preset does otherwise: a setting, or some that make sense together only.

    `theirs` and `ours` hold the values as on the command line, in the order of `names`.
    """

    names: tuple[str, ...]
    theirs: tuple[str, ...]
    ours: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its settings' names."""
        return ", ".join(self.names)

    @property
    def settings(self) -> tuple[str, ...]:
        """Ours, as on the command line."""
        return tuple(f"{name}={value}" for name, value in zip(self.names, self.ours, strict=True))


_TOGETHER = (
    ("normalisation", "given_mean", "given_std"),
    ("crops", "replacement"),
    ("target", "loss", "w0", "balance", "divide_weights"),
    ("schedule", "schedule_by"),
    ("elastic", "elastic_sigma", "elastic_alpha", "elastic_blur"),
    ("noise", "fixed_noise"),
)


def changes(original: str) -> list[Change]:
    """What our preset changes of an original one, in the order of the settings."""
    theirs, ours = (preset(name).config for name in (original, original.removesuffix("-original")))
    changed = [name for name in TrainConfig.options() if theirs.get(name) != ours.get(name)]
    groups = {name: group for group in _TOGETHER for name in group}
    found = []
    for group in dict.fromkeys(groups.get(name, (name,)) for name in changed):
        names = tuple(name for name in group if name in changed)
        values = [tuple(_text(one.get(name)) for name in names) for one in (theirs, ours)]
        found.append(Change(names, *values))
    return found


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value)) or "none"
    return str(value).lower() if isinstance(value, bool) else f"{value}"


@dataclass(frozen=True)
class Effects:
    """What the changes of a preset were measured to do: a sentence on how, and by title."""

    sentence: str
    gains: Mapping[str, str]


_UNKNOWN = Effects("what each change gains was not measured.", {})


def tables(tutorial: Tutorial, effects: Mapping[str, Effects]) -> str:
    """The tables of a tutorial's page, same and different, and what ours changes, as Markdown.

    `effects` are those of its presets that were measured. Raises ValueError where a preset differs
    from a fact and no reason is given.
    """
    same, different = [], []
    for fact in tutorial.facts:
        if not any(differs(fact, preset(name).config) for name in tutorial.presets):
            settings = ", ".join(f"`{one}`" for one in fact.settings)
            same.append(f"| {fact.what} | {fact.theirs} | {settings} |")
        elif fact.why:
            different.append(f"| {fact.what} | {fact.theirs} | {fact.why} |")
        else:
            raise ValueError(f"{tutorial.page} differs in {fact.what!r}: say why")
    names = ", ".join(f"`{name}`" for name in tutorial.presets)
    lines = [f"The same in {names}:", "", "| | theirs | our setting |", "|---|---|---|", *same, ""]
    lines += ["Different:", "", "| | theirs | ours, and why |", "|---|---|---|", *different]
    for name in tutorial.presets:
        ours, found = name.removesuffix("-original"), effects.get(name, _UNKNOWN)
        lines += ["", " ".join([f"What `{ours}` changes:", found.sentence]).strip(), ""]
        lines += [f"| setting | `{name}` | `{ours}` | gain |", "|---|---|---|---|"]
        for one in changes(name):
            names = ", ".join(f"`{each}`" for each in one.names)
            values = " | ".join("; ".join(each) for each in (one.theirs, one.ours))
            lines.append(f"| {names} | {values} | {found.gains.get(one.title, '-')} |")
    return "\n".join(lines)


_FIRST = Fact("first weights", "PyTorch's own", ("init=pytorch",))
_OLD_SEED = Fact(
    "random numbers",
    "a new draw at every start",
    why="seeded by `seed`, so that a run can be repeated",
)

TUTORIALS = (
    Tutorial(
        "segmentation-with-u-net",
        ("dsb-binary-original", "dsb-boundary-original"),
        (
            Fact(
                "division",
                "every 20th of the 447 training images validates",
                ("data=dsb2018", "scheme=every-20th"),
            ),
            Fact(
                "brightness",
                "minus the mean, by the deviation of all 447 images",
                ("normalisation=given", "given_mean=0.0565618265", "given_std=0.0767514126"),
            ),
            Fact(
                "crops",
                "256 px, anywhere, one of each image per epoch",
                ("crops=random", "crop_size=256"),
            ),
            Fact("validation", "on such crops, drawn anew", ("val_crops=true",)),
            Fact(
                "network",
                "five levels of 64 to 1024 channels, padded, without normalisation layers",
                (
                    "widths=64,128,256,512,1024",
                    "padding=same",
                    "norm=none",
                    "skip=concat",
                    "up=transposed",
                ),
            ),
            Fact("ReLU", "after each up-convolution, too", ("up_relu=true",)),
            _FIRST,
            Fact(
                "optimiser",
                "Adam at 0.001, batch 1, 10 epochs",
                (
                    "optimizer=adam",
                    "lr=0.001",
                    "weight_decay=0",
                    "schedule=constant",
                    "batch_size=1",
                    "epochs=10",
                ),
            ),
            Fact("kept weights", "those of the last epoch", ("watch=last", "ema=0")),
            Fact(
                "augmentation",
                "none",
                (
                    "flip=false",
                    "transpose=false",
                    "rotate90=false",
                    "rotate=0",
                    "elastic=0",
                    "brightness=0",
                    "noise=0",
                ),
            ),
            Fact("numbers", "float32", ("precision=float32",)),
            Fact(
                "first row of a crop",
                "never the last one that would fit: `randint` leaves it out",
                why="all places are equally likely",
            ),
            Fact(
                "curve of Dice",
                "soft Dice of each batch, then the mean",
                why="soft Dice of training is that of the epoch's pixels together, beside the hard "
                "one",
            ),
            _OLD_SEED,
        ),
    ),
    Tutorial(
        "dl4mia",
        ("dl4mia-original",),
        (
            Fact(
                "division",
                "shuffled by seed 1000, the first 67 of 447 validate",
                ("data=dsb2018", "scheme=dl4mia"),
            ),
            Fact(
                "brightness",
                "each image's percentiles 1 and 99.8",
                ("normalisation=percentile", "low_percentile=1", "high_percentile=99.8"),
            ),
            Fact(
                "crops",
                "96 px around the centroid of each object, its holes filled",
                ("crops=centroids", "crop_size=96"),
            ),
            Fact("order of crops", "drawn with replacement", ("replacement=true",)),
            Fact(
                "network",
                "three levels of 64, 128, 256 channels, skips added, no normalisation: "
                "1.68 million parameters",
                (
                    "widths=64,128,256",
                    "padding=same",
                    "norm=none",
                    "skip=add",
                    "up=transposed",
                    "up_relu=false",
                ),
            ),
            Fact("first weights", "Xavier's", ("init=xavier",)),
            Fact(
                "target",
                "background, inside, outer membrane, softmax",
                ("target=three-class", "boundary=outer"),
            ),
            Fact(
                "loss",
                "cross-entropy, weights 1, 1, 5",
                ("loss=cross-entropy", "class_weights=1,1,5"),
            ),
            Fact(
                "optimiser",
                "Adam at 0.0005, weight decay 0.0001, batch 16",
                ("optimizer=adam", "lr=0.0005", "weight_decay=0.0001", "batch_size=16"),
            ),
            Fact(
                "rate",
                "(1 - epoch / 200)^0.9, moved once an epoch",
                ("schedule=poly", "schedule_by=epoch", "schedule_epochs=200"),
            ),
            Fact("epochs", "5", ("epochs=5",)),
            Fact("best epoch", "by AP at IoU .5 on validation", ("watch=val_ap",)),
            Fact(
                "augmentation",
                "quarter turns and mirroring",
                ("flip=true", "rotate90=true", "transpose=false", "rotate=0", "noise=0"),
            ),
            Fact("numbers", "float32", ("precision=float32",)),
            Fact(
                "validation",
                "crops around every object; AP over all of them",
                why="loss on one random crop of each image; AP on a few whole images",
            ),
            Fact(
                "labels",
                "holes are filled in what is learned, too",
                why="labels are learned as they are: holes are rare",
            ),
            Fact(
                "last batch",
                "left out where it is not full",
                why="steps are as equal as can be, and every turn counts",
            ),
            _OLD_SEED,
        ),
    ),
    Tutorial(
        "unet-pytorch",
        ("isbi-valid-original",),
        (
            Fact(
                "division",
                "27 sections train, the last three are the test",
                ("data=isbi2012", "scheme=all"),
            ),
            Fact(
                "brightness",
                "mean .495, deviation .173",
                ("normalisation=given", "given_mean=0.495", "given_std=0.173"),
            ),
            Fact(
                "crops",
                "the middle 388 px of each section; the border is mirrored by 30 px",
                ("crops=middle", "crop_size=388", "padding=valid"),
            ),
            Fact(
                "network",
                "the paper's five levels, with batch normalisation",
                ("widths=64,128,256,512,1024", "norm=batch", "skip=concat", "up=transposed"),
            ),
            _FIRST,
            Fact(
                "target",
                "softmax of two classes, cross-entropy",
                ("target=two-class", "loss=cross-entropy"),
            ),
            Fact(
                "weights",
                "w_c (one over the class's share) plus 10 times the border term of "
                "sigma 5, divided by their sum in each image",
                ("weight_map=true", "sigma=5", "balance=true", "divide_weights=true", "w0=5"),
            ),
            Fact(
                "optimiser",
                "Adam at a constant rate of 0.0001, batch 3",
                ("optimizer=adam", "lr=0.0001", "schedule=constant", "batch_size=3"),
            ),
            Fact(
                "elastic bending",
                "in half of the cases, alpha 100 to 300, sigma 10 to 15",
                ("elastic_alpha=100,300", "elastic_blur=10,15", "augment_probability=0.5"),
            ),
            Fact(
                "noise",
                "in half of the cases, deviation 1 after normalising",
                ("noise=1", "fixed_noise=true"),
            ),
            Fact("numbers", "float32", ("precision=float32",)),
            Fact(
                "weights in the published code",
                "the border term is commented out and the mask takes the place of the weights",
                why="as its README says; `class_weights=0,1` is what the code does",
            ),
            Fact(
                "w_c",
                "from each image's own shares",
                why="from the shares in all training sections; its mean is 1 and not 2, so that "
                "w0 is 5 where theirs is 10",
            ),
            Fact(
                "mirroring",
                "left-right only: the vertical one calls the horizontal one",
                why="both directions",
            ),
            Fact(
                "brightness in augmentation",
                "every image times .6 to 1.4, before normalising",
                why="up to .4 is added, in half of the cases",
            ),
            Fact(
                "best epoch",
                "by IoU on the test sections, while it trains",
                why="the last one: test images choose nothing here",
            ),
            Fact("epochs", "100 by the name of its weights", ("epochs=100",)),
            Fact(
                "curves",
                "loss and accuracy in TensorBoard",
                why="live on the page Train, which also writes them as a TensorBoard event file",
            ),
            _OLD_SEED,
        ),
    ),
    Tutorial(
        "em-notebook",
        ("isbi-notebook-original",),
        (
            Fact("test sections", "13, 2 and 28", ("data=isbi2012", "scheme=13-2-28")),
            Fact(
                "brightness", "darkest and brightest pixel to 0 and 1", ("normalisation=min-max",)
            ),
            Fact("crops", "whole sections of 512 px", ("crop_size=512", "crops=random")),
            Fact(
                "network",
                "the paper's, without normalisation layers",
                (
                    "widths=64,128,256,512,1024",
                    "padding=valid",
                    "norm=none",
                    "skip=concat",
                    "up=transposed",
                ),
            ),
            _FIRST,
            Fact("numbers", "float64", ("precision=float64",)),
            Fact(
                "loss",
                "binary cross-entropy with the weight map, w0 10, sigma 5",
                (
                    "target=foreground",
                    "loss=bce",
                    "weight_map=true",
                    "w0=10",
                    "sigma=5",
                    "balance=true",
                    "divide_weights=false",
                ),
            ),
            Fact(
                "optimiser",
                "SGD at 0.01, momentum .99, batch 1, 1000 epochs",
                (
                    "optimizer=sgd",
                    "lr=0.01",
                    "momentum=0.99",
                    "weight_decay=0",
                    "batch_size=1",
                    "epochs=1000",
                    "schedule=constant",
                ),
            ),
            Fact(
                "early stopping",
                "never stops: `if es(...): pass` only saves the best epoch",
                ("patience=0", "watch=val_loss"),
            ),
            Fact(
                "geometry",
                "exactly one of mirroring, transposing, a quarter turn, or shift, "
                "zoom and rotation",
                (
                    "geometry=one",
                    "shift=0.0625",
                    "scale=0.1",
                    "rotate=45",
                    "flip=true",
                    "transpose=true",
                    "rotate90=true",
                ),
            ),
            Fact(
                "order", "noise, multiplicative noise, bending, brightness", ("order=noise-first",)
            ),
            Fact(
                "other changes",
                "each with p .95: multiplicative noise .9 to 1.1, bending by "
                "alpha 35 and sigma 5 with corners moved by 3 px, brightness and contrast .15",
                (
                    "augment_probability=0.95",
                    "multiplicative_noise=0.1",
                    "elastic_alpha=35,35",
                    "elastic_blur=5,5",
                    "affine=3",
                    "brightness=0.15",
                    "contrast=0.15",
                ),
            ),
            Fact(
                "noise",
                "a variance drawn up to 20 of 255 grey levels",
                why="a deviation drawn up to the same, .0175: weak noise is more frequent",
            ),
            Fact(
                "one of",
                "the change that is drawn is left out in 5 % of the cases",
                why="it is always made",
            ),
            Fact(
                "validation",
                "on the test sections",
                why="on sections 7, 18 and 23, so that 24 train instead of 27: test images choose "
                "nothing here",
            ),
            _OLD_SEED,
        ),
    ),
    Tutorial(
        "unet-multiclass",
        ("shapes-original",),
        (
            Fact(
                "images",
                "100 and 10 of 400 x 200 px, bright background (.8) and darker shapes, "
                "up to nine lines and nine ellipses",
                (
                    "data=synthetic-shapes:lines=1,9,ellipses=1,9,semi_axis=5,19,background=204,"
                    "grey=0,178,contrast=26,noise=25.5",
                ),
            ),
            Fact("size", "resized to 256 px wide", ("fit_width=256",)),
            Fact(
                "brightness",
                "divided by 255, nothing else",
                ("normalisation=given", "given_mean=0", "given_std=1"),
            ),
            Fact(
                "patches",
                "20 of 96 px from each image, at any place, each also mirrored",
                (
                    "crops=patches",
                    "crop_size=96",
                    "patches=20",
                    "patches_on_objects=false",
                    "patch_flips=true",
                ),
            ),
            Fact("validation", "a tenth of the patches, drawn after mirroring", ("scheme=leaky",)),
            Fact(
                "network",
                "five levels, bilinear upsampling, batch normalisation: 13.4 million parameters",
                ("widths=64,128,256,512,512", "up=bilinear", "skip=concat", "norm=batch"),
            ),
            _FIRST,
            Fact(
                "end of the network",
                "a sigmoid, and cross-entropy on top: the loss cannot fall below .5514",
                ("target=classes", "loss=cross-entropy", "squash=sigmoid"),
            ),
            Fact(
                "optimiser",
                "SGD at 0.01, momentum .9, weight decay .0005, batch 16, 100 epochs",
                (
                    "optimizer=sgd",
                    "lr=0.01",
                    "momentum=0.9",
                    "weight_decay=0.0005",
                    "batch_size=16",
                    "epochs=100",
                ),
            ),
            Fact(
                "rate",
                "times .1 every 30 epochs",
                ("schedule=step", "schedule_by=epoch", "drop_every=30", "drop_factor=0.1"),
            ),
            Fact("best epoch", "by mean IoU on the validation patches", ("watch=val_miou",)),
            Fact(
                "augmentation",
                "none in training",
                ("flip=false", "transpose=false", "rotate90=false", "noise=0", "elastic=0"),
            ),
            Fact("numbers", "float32", ("precision=float32",)),
            Fact("channels", "three equal ones (RGB)", why="one: images are grey here"),
            Fact(
                "upsampling",
                "the map's corners are kept in place",
                why="pixels are: else tiles would differ from the whole image",
            ),
            Fact(
                "biases",
                "before batch normalisation, too",
                why="none there: the normalisation takes them away again",
            ),
            Fact(
                "equalised histograms",
                "asked for in its settings; the code that we read never does it",
                why="off; `equalise=true` does it",
            ),
            Fact(
                "noise of its images",
                "the shapes have none, the background is cut to .6 to 1",
                why="shapes carry a third of the background's noise",
            ),
            Fact(
                "widest ellipse",
                "the second radius is .5 to 2 times the first",
                why="both are drawn from the same span",
            ),
            _OLD_SEED,
        ),
    ),
)
