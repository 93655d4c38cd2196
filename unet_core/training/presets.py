"""Named recipes: a sentence and a whole configuration each."""

from dataclasses import dataclass

from unet_core.base.config import (
    Augmentation,
    Images,
    Network,
    Objective,
    Optimisation,
    TrainConfig,
)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A recipe: what it is for, and its settings."""

    sentence: str
    config: TrainConfig


_TUTORIAL = TrainConfig(
    images=Images(
        data="dsb2018",
        scheme="every-20th",
        normalisation="dataset",
        crop_size=256,
    ),
    network=Network(
        widths=(64, 128, 256, 512, 1024),
        norm="none",
        init="pytorch",
    ),
    objective=Objective(
        target="foreground",
        loss="bce",
    ),
    optimisation=Optimisation(
        optimizer="adam",
        lr=1e-3,
        batch_size=1,
        epochs=10,
    ),
    augmentation=Augmentation(
        flip=False,
        transpose=False,
        rotate90=False,
    ),
)

# Mean and deviation over all pixels of the 447 images of the tutorial's folder "train", in 0..1.
_TUTORIAL_EXACT = _TUTORIAL.replace(
    normalisation="given",
    given_mean=0.0565618265,
    given_std=0.0767514126,
    val_crops=True,
    up_relu=True,
    watch="last",
    precision="float32",
)

PRESETS = {
    "quick": Preset(
        sentence="A small network for the classroom: learns visibly and is done in two minutes.",
        config=TrainConfig(
            images=Images(
                scheme="default",
                val_images=12,
                crop_size=128,
            ),
            network=Network(
                widths=(16, 32, 64, 128),
            ),
            optimisation=Optimisation(
                lr=3e-3,
                schedule="cosine",
                warmup=10,
                batch_size=8,
                epochs=8,
                steps_per_epoch=30,
            ),
            augmentation=Augmentation(
                brightness=0.1,
                contrast=0.2,
            ),
        ),
    ),
    "dsb-binary": Preset(
        sentence="The tutorial “Segmentation with U-Net”: 31 million parameters, foreground only.",
        config=_TUTORIAL,
    ),
    "dsb-binary-original": Preset(
        sentence="The same, setting by setting as the tutorial has it.",
        config=_TUTORIAL_EXACT,
    ),
    "dsb-boundary": Preset(
        sentence="The same tutorial with background, foreground and boundary as three classes.",
        config=_TUTORIAL.replace(target="three-class", boundary="thick", loss="cross-entropy"),
    ),
    "dl4mia": Preset(
        sentence="The course DL4MIA, “Pixel classification”: 96-pixel crops around every nucleus.",
        config=TrainConfig(
            images=Images(
                data="dsb2018",
                scheme="stardist",
                high_percentile=99.0,
                crop_size=96,
                crops="centred",
            ),
            network=Network(
                widths=(64, 128, 256, 512),
            ),
            objective=Objective(
                target="three-class",
                boundary="outer",
                loss="cross-entropy",
                class_weights=(1.0, 1.0, 5.0),
            ),
            optimisation=Optimisation(
                optimizer="adam",
                lr=5e-4,
                weight_decay=1e-4,
                schedule="poly",
                schedule_epochs=200,
                batch_size=16,
                epochs=5,
            ),
        ),
    ),
    "isbi-valid": Preset(
        sentence="The tutorial “UNet-PyTorch”: membranes by valid convolutions and a weight map.",
        config=TrainConfig(
            images=Images(
                data="isbi2012",
                scheme="sections",
                crop_size=388,
            ),
            network=Network(
                widths=(64, 128, 256, 512, 1024),
                padding="valid",
            ),
            objective=Objective(
                target="foreground",
                loss="bce",
                weight_map=True,
            ),
            optimisation=Optimisation(
                optimizer="adam",
                lr=5e-4,
                schedule="cosine",
                batch_size=3,
                epochs=50,
                ema=0.98,
            ),
            augmentation=Augmentation(
                elastic=3.0,
                elastic_sigma=30.0,
                brightness=0.1,
                noise=0.05,
            ),
        ),
    ),
    "isbi-notebook": Preset(
        sentence="The notebook “U-Net on the EM challenge”: SGD with a strong momentum.",
        config=TrainConfig(
            images=Images(
                data="isbi2012",
                scheme="13-2-28",
                crop_size=388,
            ),
            network=Network(
                widths=(64, 128, 256, 512, 1024),
                padding="valid",
                norm="none",
            ),
            objective=Objective(
                target="foreground",
                loss="bce",
                weight_map=True,
                balance=True,
            ),
            optimisation=Optimisation(
                optimizer="sgd",
                lr=1e-2,
                momentum=0.99,
                batch_size=1,
                epochs=1000,
                patience=100,
            ),
            augmentation=Augmentation(
                geometry="one",
                shift=0.0625,
                scale=0.1,
                rotate=45.0,
                augment_probability=0.95,
                elastic=1.14,
                elastic_sigma=15.0,
                affine=3.0,
                brightness=0.15,
                contrast=0.15,
                noise=0.0175,
                multiplicative_noise=0.1,
            ),
        ),
    ),
    "shapes": Preset(
        sentence="The tutorial “unet-multiclass”: lines and ellipses as classes, from patches.",
        config=TrainConfig(
            images=Images(
                data="synthetic-shapes",
                scheme="fraction",
                crop_size=96,
                crops="patches",
            ),
            network=Network(
                widths=(64, 128, 256, 512, 1024),
            ),
            objective=Objective(
                target="classes",
                loss="cross-entropy",
            ),
            optimisation=Optimisation(
                optimizer="sgd",
                lr=1e-2,
                weight_decay=5e-4,
                schedule="second-half",
                batch_size=16,
                epochs=100,
            ),
            augmentation=Augmentation(
                flip=False,
                transpose=False,
                rotate90=False,
            ),
        ),
    ),
    "nuclei": Preset(
        sentence="Our best recipe for fluorescent nuclei; it made the shipped checkpoint.",
        config=TrainConfig(
            images=Images(
                scheme="stardist",
                crop_size=96,
                crops="centred",
            ),
            network=Network(
                widths=(32, 64, 128, 256),
            ),
            objective=Objective(
                target="three-class",
                boundary="outer",
                loss="cross-entropy",
                class_weights=(1.0, 1.0, 5.0),
            ),
            optimisation=Optimisation(
                lr=2e-3,
                weight_decay=1e-4,
                schedule="cosine",
                warmup=100,
                batch_size=16,
                epochs=4,
                ema=0.998,
            ),
            augmentation=Augmentation(
                rotate=45.0,
                scale=0.3,
                brightness=0.15,
                contrast=0.3,
                gamma=0.5,
                noise=0.08,
                multiplicative_noise=0.1,
            ),
        ),
    ),
}


def preset(name: str) -> Preset:
    """The named recipe; ValueError names the ones there are."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def fall_back(config: TrainConfig, available: list[str]) -> tuple[TrainConfig, str]:
    """The configuration with synthetic nuclei when its data set is not there, and a note on it."""
    if config.images.data in available:
        return config, ""
    note = f"{config.images.data} is not downloaded: training on synthetic nuclei instead."
    return config.replace(data="synthetic-nuclei", scheme="default"), note


def move(config: TrainConfig, data: str, *, has_classes: bool) -> tuple[TrainConfig, str]:
    """The configuration on another data set, and a note on what had to change with it.

    `has_classes` says that the set's labels are classes, not objects: target and loss follow.
    """
    if data == config.images.data:
        return config, ""
    moved = config.replace(data=data, scheme="default")
    if has_classes == (config.objective.target == "classes"):
        return moved, ""
    if not has_classes:
        loss = config.objective.loss.replace("cross-entropy", "bce")
        moved = moved.replace(target="foreground+boundary", loss=loss, class_weights=())
        return moved, f"{data} has objects: the target is foreground+boundary here."
    loss = config.objective.loss.replace("bce", "cross-entropy")
    crops = "random" if config.images.crops in ("centred", "on-objects") else config.images.crops
    watch = "val_miou" if config.optimisation.watch == "val_ap" else config.optimisation.watch
    moved = moved.replace(
        target="classes", watch=watch, loss=loss, class_weights=(), weight_map=False, crops=crops
    )
    return moved, f"{data} has classes: the target is classes and the loss is {loss} here."
