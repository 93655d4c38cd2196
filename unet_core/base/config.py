"""What decides a segmentation, a training run and a trained network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from unet_core.base.settings import Groups, Settings, option

SOFTMAX_TARGETS = ("two-class", "three-class", "classes")
# How many channels a network needs for a target; for classes the data set says it.
OUTPUTS = {
    "foreground": 1,
    "two-class": 2,
    "three-class": 3,
    "foreground+boundary": 2,
    "distance": 2,
}

SKIPS = ("concat", "add")
UPS = ("transposed", "bilinear")


@dataclass(frozen=True, kw_only=True)
class Segmentation(Settings):
    """How probabilities become objects."""

    method: str = option(
        "watershed",
        "Watershed separates touching objects with the boundary channel; components takes every "
        "connected region as one object.",
        choices=("watershed", "components"),
    )
    threshold: float = option(
        0.5,
        "A pixel belongs to an object when its foreground probability is above this. "
        "Lower makes objects larger and finds faint ones.",
        low=0.0,
        high=1.0,
    )
    marker_threshold: float = option(
        0.5,
        "Each object grows from a marker: a region where foreground - weight x boundary is above "
        "this. "
        "Higher separates more, and loses weak objects.",
        low=-1.0,
        high=1.0,
    )
    boundary_weight: float = option(
        1.0,
        "How strongly the boundary is subtracted to find markers.",
        low=0.0,
        high=10.0,
        top=3.0,
        step=0.05,
    )
    min_size: int = option(
        0,
        "Objects smaller than this are dropped.",
        low=0,
        high=1_000_000,
        label="Minimum area",
        unit="px²",
    )
    fill_holes: bool = option(True, "Fill holes inside objects.")
    drop_border: bool = option(
        False, "Drop objects that touch the image border, as for size statistics."
    )
    connectivity: int = option(
        8, "Whether pixels that touch at a corner are connected (8) or not (4).", choices=(4, 8)
    )
    flood_corners: bool = option(
        True,
        "Objects also grow across corners, as their markers are connected with 8. Off, they grow "
        "side by side only, as scikit-image's watershed does by itself.",
        label="Grow across corners",
    )
    reading: str = option(
        "objects",
        "What is foreground where inside and boundary are exclusive classes and the boundary lies "
        "in the objects: objects takes both, so that they have their full size; inside takes the "
        "inside alone, as one tutorial does, and leaves the rim out.",
        choices=("objects", "inside"),
        label="Foreground is",
    )


@dataclass(frozen=True, kw_only=True)
class Images(Settings):
    """Which images a network learns from, and what of them it is shown at a time."""

    data: str = option("dsb2018", "The data set to train on.", group="Data")
    scheme: str = option(
        "default",
        "How training images are divided into training and validation; "
        "default is the data set's own; all keeps none for validation, to train once more when "
        "everything is chosen; leaky shows a mistake: it validates on training images, with crops "
        "patches on a tenth of the patches, whose mirror images are trained on.",
        group="Data",
    )
    val_images: int = option(
        0,
        "Validate on this many images only, evenly chosen; 0 means all.",
        group="Data",
        low=0,
        label="Validation images",
    )
    fit_width: int = option(
        0,
        "Resize every image to this width before anything else, in predicting, too, where the "
        "answer is brought back to the image's size; 0 leaves images as they are.",
        group="Data",
        low=0,
        high=4096,
        label="Resize to width",
        unit="px",
    )
    equalise: bool = option(
        False,
        "Equalise the histogram of every image first: all greys become equally frequent.",
        group="Data",
        label="Equalise histograms",
    )
    normalisation: str = option(
        "percentile",
        "percentile maps each image's own dark and bright percentiles to 0 and 1; min-max its "
        "darkest and brightest pixel; dataset subtracts the mean of all training images and "
        "divides by their deviation; given does so with a mean and deviation that you name.",
        group="Data",
        choices=("percentile", "min-max", "dataset", "given"),
    )
    given_mean: float = option(
        0.0,
        "The mean that is subtracted with normalisation given; 0 is black, 1 the brightest that "
        "the file could hold.",
        group="Data",
        low=-1e6,
        high=1e6,
        top=1.0,
        step=0.001,
    )
    given_std: float = option(
        1.0,
        "The deviation that is divided by with normalisation given.",
        group="Data",
        low=1e-6,
        high=1e6,
        top=1.0,
        step=0.001,
        label="Given deviation",
    )
    low_percentile: float = option(
        1.0,
        "The percentile that becomes 0.",
        group="Data",
        low=0.0,
        high=49.0,
        label="Dark percentile",
    )
    high_percentile: float = option(
        99.8,
        "The percentile that becomes 1.",
        group="Data",
        low=51.0,
        high=100.0,
        label="Bright percentile",
    )
    crop_size: int = option(
        256,
        "Side of the square crops that are learned, in pixels; with valid padding the network "
        "reads more around them.",
        group="Data",
        low=32,
        high=2048,
        unit="px",
    )
    val_crops: bool = option(
        False,
        "Validate on one random crop of each image, drawn anew every epoch, instead of the whole "
        "image: quicker, and the curve is noisier.",
        group="Data",
        label="Validate on crops",
    )
    crops: str = option(
        "random",
        "random crops anywhere; on-objects holds a randomly chosen object; centred takes every "
        "object once per epoch, in the middle of its box; centroids around its centre of mass, "
        "holes filled; patches are cut at places that stay the same; middle is that of the image.",
        group="Data",
        choices=("random", "on-objects", "centred", "centroids", "patches", "middle"),
    )
    replacement: bool = option(
        False,
        "Draw the places of an epoch with replacement: some come twice, some not at all.",
        group="Data",
        label="Draw places with replacement",
    )
    patches: int = option(
        20,
        "Patches cut from each image, with crops patches.",
        group="Data",
        low=1,
        high=10_000,
        label="Patches per image",
    )
    patches_on_objects: bool = option(
        True,
        "Keep only patches that hold something else than background.",
        group="Data",
        label="Only patches with an object",
    )
    patch_flips: bool = option(
        True,
        "Add each patch mirrored left-right, up-down and both: four times as many.",
        group="Data",
        label="Mirrored patches, too",
    )
    seed: int = option(
        0, "The same seed gives the same numbers on the CPU.", group="Data", low=0, high=2**31 - 1
    )
    mistake: str = option(
        "none",
        "A known mistake, made on purpose to see what it does: labels shifted by 8 pixels, test "
        "images trained on, or images normalised in training only.",
        group="Data",
        choices=("none", "shifted-labels", "test-in-training", "raw-prediction"),
        label="Mistake on purpose",
    )


@dataclass(frozen=True, kw_only=True)
class Network(Settings):
    """The network that is trained."""

    widths: tuple[int, ...] = option(
        (32, 64, 128, 256),
        "Feature channels of each level, top to bottom; more levels see more context.",
        group="Network",
        low=1,
        high=4096,
        label="Channels of each level",
    )
    padding: str = option(
        "same",
        "same keeps the size, with zeros around; valid uses real pixels only, so that the output "
        "is smaller than what is read, and images are mirrored at their border.",
        group="Network",
        choices=("same", "valid"),
    )
    norm: str = option(
        "batch",
        "Normalisation after each convolution steadies training: batch over the images of a "
        "step, group within each image (for small batches).",
        group="Network",
        choices=("batch", "group", "none"),
        label="Normalisation layers",
    )
    init: str = option(
        "he",
        "The first, random weights: he keeps the size of the signal through many layers, as the "
        "paper asks; pytorch is that library's usual, smaller start; xavier keeps signal and "
        "gradient alike, and lets up-convolutions start as pytorch does.",
        group="Network",
        choices=("he", "pytorch", "xavier"),
        label="First weights",
    )
    init_from: str = option(
        "",
        "Start from the weights of this model (a shipped one, a run, or a file) instead of random "
        "ones. Its network must be built alike; where it answers with other outputs, the last "
        "layer begins anew.",
        group="Network",
        label="Start from the weights of",
    )
    skip: str = option(
        "concat",
        "How the detail of the way down joins the way up: concat puts its maps beside what came "
        "up, as the paper does; add adds both, which takes fewer weights.",
        group="Network",
        choices=SKIPS,
        label="Skip connections",
    )
    up: str = option(
        "transposed",
        "How maps grow on the way up: transposed learns 2×2 up-convolutions; bilinear "
        "interpolates, without weights, and each level then narrows to the width of the one above.",
        group="Network",
        choices=UPS,
        label="Upsampling",
    )
    up_relu: bool = option(
        False,
        "A ReLU after each up-convolution, too; the paper has none there.",
        group="Network",
        label="ReLU after up-convolutions",
    )

    def check(self) -> None:
        """Refuse a network without levels, and a way up that does not meet its skips."""
        if not self.widths:
            raise ValueError("widths must name at least one level, got none")
        check_way_up(self.widths, padding=self.padding, skip=self.skip, up=self.up)

    @property
    def levels(self) -> int:
        """How many resolutions the network works at."""
        return len(self.widths)


def check_way_up(widths: tuple[int, ...], *, padding: str, skip: str, up: str) -> None:
    """Raise ValueError where a network of these settings could not rise again."""
    if up == "bilinear" and padding == "valid":
        raise ValueError(
            "up bilinear needs padding same: at the border of a map of real pixels alone there is "
            "nothing to interpolate with"
        )
    if up == "bilinear" and skip == "add" and len(widths) > 1 and widths[-1] != widths[-2]:
        raise ValueError(
            "skip add with up bilinear needs as many channels on the lowest level as on the one "
            f"above it, for they are added: got {widths[-1]} and {widths[-2]}"
        )


@dataclass(frozen=True, kw_only=True)
class Objective(Settings):
    """What the network shall answer, and what counts as wrong."""

    target: str = option(
        "foreground+boundary",
        "What the network learns: foreground only, as one channel or against the background "
        "(two-class); background, inside and boundary as exclusive classes; foreground and "
        "boundary as independent channels; foreground and the distance to the object's border; "
        "or the data set's own classes.",
        group="Target",
        choices=(
            "foreground",
            "two-class",
            "three-class",
            "foreground+boundary",
            "distance",
            "classes",
        ),
    )
    boundary: str = option(
        "inner",
        "Which pixels count as boundary: inside the object, outside it, or both (thick).",
        group="Target",
        choices=("inner", "outer", "thick"),
    )
    loss: str = option(
        "bce+dice",
        "What is made small: pixel-wise cross-entropy (bce for independent channels), "
        "soft Dice overlap, or their sum.",
        group="Loss",
        choices=("bce", "cross-entropy", "dice", "bce+dice", "cross-entropy+dice"),
    )
    class_weights: tuple[float, ...] = option(
        (), "Weight of each class or channel in the loss; empty means equal.", group="Loss", low=0.0
    )
    weight_map: bool = option(
        False,
        "Weight pixels between close objects more (Ronneberger et al. 2015).",
        group="Loss",
    )
    w0: float = option(
        10.0,
        "Height of the weight map between objects.",
        group="Loss",
        low=0.0,
        label="Weight map: height w0",
        top=50.0,
        step=0.5,
    )
    sigma: float = option(
        5.0,
        "Width of the weight map, in pixels.",
        group="Loss",
        low=0.5,
        high=100.0,
        label="Weight map: width σ",
        unit="px",
        top=30.0,
        step=0.5,
    )
    weights_follow: bool = option(
        False,
        "Make the weight map once and change it with the image, which is quicker; otherwise it is "
        "made anew from the changed labels, which is exact.",
        group="Loss",
        label="Weight map: moved along",
    )
    balance: bool = option(
        False,
        "Weigh pixels of rare classes more: by one over their share of the training pixels.",
        group="Loss",
        label="Balance the classes",
    )
    divide_weights: bool = option(
        False,
        "Divide the loss by the sum of the pixels' weights, so that only their ratios count.",
        group="Loss",
        label="Divide by the weights' sum",
    )
    squash: str = option(
        "none",
        "Let the network itself end with a sigmoid or softmax, before the loss applies its own: a "
        "common slip, which keeps the loss from ever reaching 0.",
        group="Loss",
        choices=("none", "sigmoid", "softmax"),
        label="Activation inside the network",
    )

    @property
    def activation(self) -> str:
        """What makes probabilities of the network's last layer: "softmax" or "sigmoid"."""
        if self.squash != "none":
            return self.squash
        return "softmax" if self.target in SOFTMAX_TARGETS else "sigmoid"

    def check(self) -> None:
        """Refuse a loss or weights that do not fit the target."""
        softmax = self.target in SOFTMAX_TARGETS
        if softmax and "bce" in self.loss:
            raise ValueError(
                f"target {self.target} has exclusive classes: choose a loss with cross-entropy or "
                f"dice, got {self.loss}"
            )
        if not softmax and "cross-entropy" in self.loss:
            raise ValueError(
                f"target {self.target} has independent channels: choose a loss with bce or dice, "
                f"got {self.loss}"
            )
        if self.target == "distance" and self.loss != "bce":
            raise ValueError(
                f"target distance needs loss bce, got {self.loss}: "
                "dice pulls every value of a smooth target towards 0 or 1"
            )
        if self.weight_map and self.target == "classes":
            raise ValueError("weight_map needs objects: the target classes has none")
        if self.squash != "none" and not softmax:
            raise ValueError(
                f"squash {self.squash} needs exclusive classes: choose target two-class, "
                f"three-class or classes, got {self.target}"
            )
        if self.class_weights:
            self._check_class_weights()

    def _check_class_weights(self) -> None:
        expected = OUTPUTS.get(self.target)
        if expected and len(self.class_weights) != expected:
            raise ValueError(
                f"class_weights must hold {expected} numbers for target {self.target}, "
                f"got {len(self.class_weights)}"
            )
        if sum(self.class_weights) == 0:
            raise ValueError("class_weights must not all be zero")
        if self.balance:
            raise ValueError(
                "balance chooses the weights of the classes: leave class_weights empty"
            )


@dataclass(frozen=True, kw_only=True)
class Optimisation(Settings):
    """How the weights are found: steps, rates, and when it ends."""

    optimizer: str = option(
        "adamw",
        "How weights follow the gradient.",
        group="Training",
        choices=("adam", "adamw", "sgd"),
        label="Optimiser",
    )
    lr: float = option(
        1e-3,
        "Learning rate: the step size.",
        group="Training",
        low=1e-8,
        high=10.0,
        label="Learning rate",
    )
    momentum: float = option(
        0.9, "Momentum of SGD; the others ignore it.", group="Training", low=0.0, high=0.9999
    )
    weight_decay: float = option(
        0.0, "Pulls weights towards zero.", group="Training", low=0.0, high=1.0
    )
    schedule: str = option(
        "constant",
        "How the learning rate falls: constant, cosine to zero, polynomial (power 0.9), "
        "linear to zero in the second half, or in steps, by a factor after some epochs.",
        group="Training",
        choices=("constant", "cosine", "poly", "second-half", "step"),
        label="Learning-rate schedule",
    )
    schedule_by: str = option(
        "step",
        "When the schedule moves the rate: after each step of the optimiser, or once an epoch.",
        group="Training",
        choices=("step", "epoch"),
        label="Schedule moves each",
    )
    drop_every: int = option(
        30,
        "Epochs after which schedule step lowers the rate, again and again.",
        group="Training",
        low=1,
        high=100_000,
        label="Lower the rate every",
        unit="epochs",
    )
    drop_factor: float = option(
        0.1,
        "What schedule step multiplies the rate by.",
        group="Training",
        low=1e-6,
        high=1.0,
        label="Lower the rate by a factor",
    )
    schedule_epochs: int = option(
        0,
        "Plan the schedule for this many epochs, also when fewer are trained; 0 means epochs.",
        group="Training",
        low=0,
        high=100_000,
        label="Epochs the schedule plans for",
    )
    warmup: int = option(
        0,
        "Raise the learning rate linearly over the first steps.",
        group="Training",
        low=0,
        label="Warm-up steps",
    )
    batch_size: int = option(
        8, "Crops that the network sees at once.", group="Training", low=1, high=1024
    )
    accumulate: int = option(
        1,
        "Batches whose gradients are added up for one step: a large batch in little memory.",
        group="Training",
        low=1,
        high=1024,
        label="Batches per step",
    )
    epochs: int = option(
        20, "Rounds over the training images.", group="Training", low=1, high=100_000
    )
    steps_per_epoch: int = option(
        0, "Steps in an epoch; 0 means every image once.", group="Training", low=0
    )
    ema: float = option(
        0.0,
        "Exponential moving average of the weights: 0.99 is about the last 100 steps; 0 is off.",
        group="Training",
        low=0.0,
        high=0.99999,
        label="Weight averaging (EMA)",
    )
    freeze_encoder: bool = option(
        False,
        "Leave the way down as the model had it that the training starts from, and train the way "
        "up alone: quicker, and less is forgotten where new images are few.",
        group="Training",
        label="Freeze the encoder",
    )
    patience: int = option(
        0,
        "Stop when validation has not improved for this many epochs; 0 is off, as it is without "
        "validation images.",
        group="Training",
        low=0,
        unit="epochs",
    )
    watch: str = option(
        "val_loss",
        "What decides the best epoch: loss or Dice of the foreground, val_miou the mean IoU of the "
        "classes, val_ap the AP of objects at IoU 0.5 on a few images; last keeps the last one, "
        "whatever validation says.",
        group="Training",
        choices=("val_loss", "val_dice", "val_miou", "val_ap", "last"),
        label="Best epoch by",
    )
    precision: str = option(
        "auto",
        "bfloat16 is faster where the device supports it; auto measures. float64 trains with 16 "
        "digits, twice the memory and less than half the speed; segmenting is in float32 always.",
        group="Training",
        choices=("auto", "float32", "bfloat16", "float64"),
    )
    device: str = option(
        "auto",
        "auto takes a GPU when there is one.",
        group="Training",
        choices=("auto", "cpu", "cuda", "mps"),
    )

    def check(self) -> None:
        """Refuse a schedule that ends before the training does, and numbers no device has."""
        if self.schedule_epochs and self.schedule_epochs < self.epochs:
            raise ValueError(
                f"schedule_epochs must be 0 or at least epochs ({self.epochs}), "
                f"got {self.schedule_epochs}"
            )
        if self.precision == "float64" and self.device == "mps":
            raise ValueError("precision float64 needs device cpu or cuda: an Apple GPU has none")


@dataclass(frozen=True, kw_only=True)
class Augmentation(Settings):
    """How training images are changed at random, each time in another way."""

    geometry: str = option(
        "all",
        "all draws every geometric change that is switched on; one picks exactly one of them: "
        "a mirroring, transposition, a quarter turn, or shift, zoom and rotation together.",
        group="Augmentation",
        choices=("all", "one"),
        label="Geometric changes",
    )
    order: str = option(
        "geometry-first",
        "geometry-first moves and bends the image, then changes its greys; noise-first turns or "
        "moves it, adds noise, bends it with the noise, and changes brightness last.",
        group="Augmentation",
        choices=("geometry-first", "noise-first"),
        label="Order of changes",
    )
    augment_probability: float = option(
        1.0,
        "How often each of the other changes is made: bending, noise, brightness and contrast, "
        "gamma.",
        group="Augmentation",
        low=0.0,
        high=1.0,
        label="Probability of the others",
    )
    flip: bool = option(
        True,
        "Mirror left-right and up-down.",
        group="Augmentation",
        label="Mirror",
    )
    transpose: bool = option(True, "Swap rows and columns.", group="Augmentation")
    rotate90: bool = option(
        True,
        "Turn by multiples of 90 degrees.",
        group="Augmentation",
        label="Quarter turns",
    )
    rotate: float = option(
        0.0,
        "Turn by up to this many degrees.",
        group="Augmentation",
        low=0.0,
        high=180.0,
        unit="degrees",
    )
    shift: float = option(
        0.0, "Shift by up to this share of the side.", group="Augmentation", low=0.0, high=0.5
    )
    scale: float = option(
        0.0,
        "Zoom by up to this share: 0.2 draws between 1/1.2 and 1.2.",
        group="Augmentation",
        low=0.0,
        high=2.0,
        top=1.0,
    )
    elastic: float = option(
        0.0,
        "Bend the image: typical displacement in pixels.",
        group="Augmentation",
        low=0.0,
        high=50.0,
        label="Elastic bending",
        unit="px",
        top=15.0,
    )
    elastic_sigma: float = option(
        10.0,
        "How smooth the bending is, in pixels.",
        group="Augmentation",
        low=2.0,
        high=100.0,
        label="Elastic smoothness",
        unit="px",
        top=40.0,
    )
    elastic_alpha: tuple[float, float] = option(
        (0.0, 0.0),
        "Bend by the rule of Simard et al. 2003: uniform noise, smoothed, times a strength drawn "
        "between these two; 0 is off.",
        group="Augmentation",
        low=0.0,
        high=10_000.0,
        label="Elastic strength α, from and to",
        top=500.0,
        step=5.0,
    )
    elastic_blur: tuple[float, float] = option(
        (10.0, 15.0),
        "That rule's smoothing: the deviation of its Gaussian is drawn between these two.",
        group="Augmentation",
        low=1.0,
        high=100.0,
        label="Elastic smoothing σ, from and to",
        unit="px",
        top=40.0,
        step=0.5,
    )
    affine: float = option(
        0.0,
        "Shear and stretch: three corners are moved by up to this many pixels.",
        group="Augmentation",
        low=0.0,
        high=100.0,
        label="Moved corners",
        unit="px",
        top=30.0,
    )
    brightness: float = option(
        0.0,
        "Add up to this share of the intensity range.",
        group="Augmentation",
        low=0.0,
        high=1.0,
        top=0.6,
    )
    contrast: float = option(
        0.0,
        "Change contrast by up to this share.",
        group="Augmentation",
        low=0.0,
        high=0.95,
        top=0.9,
    )
    gamma: float = option(
        0.0,
        "Bend the intensity curve: 0.5 draws exponents between 1/1.5 and 1.5.",
        group="Augmentation",
        low=0.0,
        high=3.0,
        top=2.0,
    )
    noise: float = option(
        0.0,
        "Add Gaussian noise of up to this deviation.",
        group="Augmentation",
        low=0.0,
        high=1.0,
        top=0.3,
    )
    fixed_noise: bool = option(
        False,
        "Add noise of exactly this deviation instead of up to it.",
        group="Augmentation",
        label="Noise always in full",
    )
    multiplicative_noise: float = option(
        0.0,
        "Multiply each pixel by a factor up to this far from 1.",
        group="Augmentation",
        low=0.0,
        high=0.95,
        top=0.5,
    )

    def check(self) -> None:
        """Refuse ranges that are none."""
        for name in ("elastic_alpha", "elastic_blur"):
            ends = getattr(self, name)
            if len(ends) != 2 or ends[0] > ends[1]:
                raise ValueError(
                    f"{name} must be two rising numbers, got {', '.join(map(str, ends)) or 'none'}"
                )


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Groups):
    """Everything that decides a training run."""

    images: Images = Images()
    network: Network = Network()
    objective: Objective = Objective()
    optimisation: Optimisation = Optimisation()
    augmentation: Augmentation = Augmentation()

    renamed: ClassVar[Mapping[str, str]] = {"channels": "widths"}

    def check(self) -> None:
        """Refuse crops that do not fit the network, and scores or statistics of nothing."""
        if self.optimisation.watch == "val_ap" and self.objective.target == "classes":
            raise ValueError(
                "watch val_ap needs objects, and the target classes has none: val_miou"
            )
        if self.optimisation.freeze_encoder and not self.network.init_from:
            raise ValueError(
                "freeze_encoder keeps the weights of a model, and there is none: name one with "
                "init_from"
            )
        side, levels = self.images.crop_size, self.network.levels
        halved = 2 ** (levels - 1)
        is_same = self.network.padding == "same"
        if is_same and side % halved:
            raise ValueError(
                f"crop_size must be a multiple of {halved} for the {levels} levels of widths, "
                f"got {side}"
            )
        lowest = side // halved if is_same else side
        if self.network.norm == "batch" and self.optimisation.batch_size * lowest**2 < 2:
            raise ValueError(
                "batch_size must be at least 2 where the lowest level is a single pixel, or norm "
                f"none: got {self.optimisation.batch_size}"
            )


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Settings):
    """What a trained network must know to segment: nothing of this is asked of the user again."""

    train: TrainConfig
    outputs: tuple[str, ...]  # a name per output channel
    mean: float = 0.0  # of the training images in 0..1, for normalisation "dataset"
    std: float = 1.0
    diameter: float | None = None  # median equivalent diameter of the training objects, in pixels
    small: float | None = None  # 5th and 95th percentile of it
    large: float | None = None
    looks_low: tuple[float, ...] = ()  # 1st and 99th percentile over the training images of what
    looks_high: tuple[float, ...] = ()  # they look like, see imaging/checkup.py; empty: not known
    pixel_size_um: float | None = None
    segmentation: Segmentation = Segmentation()
    started_from: str = ""  # the model whose weights were there first; empty: random ones
    tuned_on: str = ""  # the images that chose the segmentation settings; empty: defaults
    epoch: int = 0

    def check(self) -> None:
        """Refuse a deviation that normalising would divide by, and a range without an end."""
        if not self.std > 0:
            raise ValueError(f"std must be positive, got {self.std!r}")
        if len(self.looks_low) != len(self.looks_high):
            raise ValueError(
                "looks_low and looks_high must have as many numbers, "
                f"got {len(self.looks_low)} and {len(self.looks_high)}"
            )
