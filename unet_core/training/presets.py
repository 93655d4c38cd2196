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
    """A recipe: what it is for, and its settings.

    `kind` is "ours" for what we would do, "original" for a tutorial's settings as they are, and
    "broken" for one that fails: `wrong` says why, and the settings in `mend` (as on the command
    line) repair it.
    """

    sentence: str
    config: TrainConfig
    kind: str = "ours"
    wrong: str = ""
    mend: tuple[str, ...] = ()


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


_ORIGINALS = {
    "dsb-binary-original": Preset(
        sentence="“Segmentation with U-Net”, setting by setting: nucleus or not.",
        kind="original",
        config=_TUTORIAL_EXACT,
    ),
    "dsb-boundary-original": Preset(
        sentence="“Segmentation with U-Net”, setting by setting: three classes.",
        kind="original",
        config=_TUTORIAL_EXACT.replace(
            target="three-class", boundary="thick", loss="cross-entropy"
        ),
    ),
    "dl4mia-original": Preset(
        sentence="DL4MIA's “Pixel classification”, setting by setting: a small network that adds "
        "its skips.",
        kind="original",
        config=TrainConfig(
            images=Images(
                data="dsb2018",
                scheme="dl4mia",
                crop_size=96,
                crops="centroids",
                replacement=True,
                val_crops=True,
            ),
            network=Network(
                widths=(64, 128, 256),
                norm="none",
                init="xavier",
                skip="add",
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
                schedule_by="epoch",
                schedule_epochs=200,
                batch_size=16,
                epochs=5,
                watch="val_ap",
                precision="float32",
            ),
            augmentation=Augmentation(
                transpose=False,
            ),
        ),
    ),
    "isbi-valid-original": Preset(
        sentence="“UNet-PyTorch”, setting by setting: two classes, and weights divided by their "
        "sum.",
        kind="original",
        config=TrainConfig(
            images=Images(
                data="isbi2012",
                scheme="all",
                normalisation="given",
                given_mean=0.495,
                given_std=0.173,
                crop_size=388,
                crops="middle",
            ),
            network=Network(
                widths=(64, 128, 256, 512, 1024),
                padding="valid",
                init="pytorch",
            ),
            objective=Objective(
                target="two-class",
                loss="cross-entropy",
                weight_map=True,
                w0=5.0,
                balance=True,
                divide_weights=True,
            ),
            optimisation=Optimisation(
                optimizer="adam",
                lr=1e-4,
                batch_size=3,
                epochs=100,
                watch="last",
                precision="float32",
            ),
            augmentation=Augmentation(
                augment_probability=0.5,
                transpose=False,
                rotate90=False,
                elastic_alpha=(100.0, 300.0),
                elastic_blur=(10.0, 15.0),
                brightness=0.4,
                noise=1.0,
                fixed_noise=True,
            ),
        ),
    ),
    "isbi-notebook-original": Preset(
        sentence="“U-Net on the EM challenge”, setting by setting: whole sections in float64.",
        kind="original",
        config=TrainConfig(
            images=Images(
                data="isbi2012",
                scheme="13-2-28",
                normalisation="min-max",
                crop_size=512,
            ),
            network=Network(
                widths=(64, 128, 256, 512, 1024),
                padding="valid",
                norm="none",
                init="pytorch",
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
                precision="float64",
            ),
            augmentation=Augmentation(
                geometry="one",
                order="noise-first",
                augment_probability=0.95,
                shift=0.0625,
                scale=0.1,
                rotate=45.0,
                elastic_alpha=(35.0, 35.0),
                elastic_blur=(5.0, 5.0),
                affine=3.0,
                brightness=0.15,
                contrast=0.15,
                noise=0.0175,
                multiplicative_noise=0.1,
            ),
        ),
    ),
    "shapes-original": Preset(
        sentence="“unet-multiclass”, setting by setting: bilinear upsampling, and a sigmoid too "
        "many.",
        kind="original",
        config=TrainConfig(
            images=Images(
                data="synthetic-shapes:lines=1,9,ellipses=1,9,semi_axis=5,19,background=204,"
                "grey=0,178,contrast=26,noise=25.5",
                scheme="leaky",
                fit_width=256,
                normalisation="given",
                crop_size=96,
                crops="patches",
                patches_on_objects=False,
            ),
            network=Network(
                widths=(64, 128, 256, 512, 512),
                up="bilinear",
                init="pytorch",
            ),
            objective=Objective(
                target="classes",
                loss="cross-entropy",
                squash="sigmoid",
            ),
            optimisation=Optimisation(
                optimizer="sgd",
                lr=1e-2,
                weight_decay=5e-4,
                schedule="step",
                schedule_by="epoch",
                drop_every=30,
                batch_size=16,
                epochs=100,
                watch="val_miou",
                precision="float32",
            ),
            augmentation=Augmentation(
                flip=False,
                transpose=False,
                rotate90=False,
            ),
        ),
    ),
}

_QUICK = PRESETS["quick"].config
_QUICK_CLASSES = _QUICK.replace(
    data="synthetic-shapes", target="classes", loss="cross-entropy", batch_size=4
)

_BROKEN = {
    "broken-rate": Preset(
        sentence="The learning rate is 100 times too high.",
        kind="broken",
        config=_QUICK.replace(lr=0.3, norm="none"),
        wrong="Each step jumps over the valley that it should walk down, and the first ones leave "
        "the network dead: the same answer everywhere, whatever comes after. The range test finds "
        "a rate that works. (Batch normalisation would forgive this rate, so it is off here.)",
        mend=("lr=0.003",),
    ),
    "broken-shifted-labels": Preset(
        sentence="Every label lies 8 pixels off its nucleus.",
        kind="broken",
        config=_QUICK.replace(mistake="shifted-labels"),
        wrong="The network learns the shift, too: its loss falls on training images, while on "
        "validation images, whose labels are right, Dice stops early. The previews show every "
        "nucleus down and to the right of itself. Look at labels on images before training.",
        mend=("mistake=none",),
    ),
    "broken-test-in-training": Preset(
        sentence="The test images are trained on, too.",
        kind="broken",
        config=_QUICK.replace(mistake="test-in-training"),
        wrong="Nothing looks wrong, which is what makes it dangerous: the test score is that of "
        "images the network has seen, and new images will be worse. Only a division that is "
        "checked tells.",
        mend=("mistake=none",),
    ),
    "broken-no-boundary": Preset(
        sentence="Nothing is learned about where touching nuclei meet.",
        kind="broken",
        config=_QUICK.replace(data="synthetic-nuclei", target="foreground"),
        wrong="Dice is as good as ever, and yet nuclei that touch come out as one: evaluate it, "
        "and look at the merges. Of 100 nuclei that touch it finds about 14; mended, after as "
        "short a training, about 37. A foreground alone does not say where one nucleus ends.",
        mend=("target=foreground+boundary",),
    ),
    "broken-cancelling-weights": Preset(
        sentence="Background pixels weigh nothing.",
        kind="broken",
        config=_QUICK.replace(target="two-class", loss="cross-entropy", class_weights=(0.0, 1.0)),
        wrong="To call background a nucleus costs nothing, so the network does it wherever that "
        "is convenient: the loss goes to 0, Dice stays near a half, and no nucleus is found as "
        "one. A low loss is no good answer by itself.",
        mend=("class_weights=1,1",),
    ),
    "broken-imbalance": Preset(
        sentence="One thin line in an image, and every pixel counts alike.",
        kind="broken",
        config=_QUICK_CLASSES.replace(
            data="synthetic-shapes:lines=1,1,ellipses=0,1,thickness=1,2,contrast=20,noise=45",
            optimizer="sgd",
            lr=0.01,
        ),
        wrong="Nearly every pixel is background, so calling all of them background is right in "
        "98 of 100 cases, and training stays there: accuracy is high, the IoU of lines is 0. "
        "Weights for rare classes make them count.",
        mend=("balance=true",),
    ),
    "broken-double-softmax": Preset(
        sentence="Softmax twice: in the network, and again in the loss.",
        kind="broken",
        config=_QUICK.replace(target="three-class", loss="cross-entropy", squash="softmax"),
        wrong="The loss cannot fall below .55 with three classes, however right the answer is. "
        "In so short a training nothing else tells: Dice is the same as with one softmax, whose "
        "loss falls below .1. The loss wants the bare last layer.",
        mend=("squash=none",),
    ),
    "broken-small-crops": Preset(
        sentence="The crops are smaller than the shapes.",
        kind="broken",
        config=_QUICK_CLASSES.replace(
            data="synthetic-shapes:lines=3,8,ellipses=3,8,thickness=20,40,semi_axis=40,80",
            crop_size=32,
        ),
        wrong="In a crop of 32 px a wide line and a large ellipse look alike, for none is seen "
        "whole: the classes are mixed up on whole images. A crop must hold what tells them apart.",
        mend=("crop_size=128",),
    ),
    "broken-normalisation": Preset(
        sentence="Images are normalised in training only.",
        kind="broken",
        config=_QUICK.replace(mistake="raw-prediction"),
        wrong="The network meets numbers up to 255 where it learned 0 to 1: training looks fine, "
        "validation and every prediction are nonsense. Both must be prepared alike.",
        mend=("mistake=none",),
    ),
}

PRESETS |= _ORIGINALS | _BROKEN


def preset(name: str) -> Preset:
    """The named recipe; ValueError names the ones there are."""
    if name not in PRESETS:
        raise ValueError(f"unknown preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def of_kind(*kinds: str) -> dict[str, Preset]:
    """The recipes of some kinds, "ours", "original" or "broken", by their names."""
    return {name: one for name, one in PRESETS.items() if one.kind in kinds}


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
    moved, notes = config.replace(data=data, scheme="default"), []
    if config.images.normalisation == "given":
        moved = moved.replace(normalisation="dataset", given_mean=0.0, given_std=1.0)
        notes += [f"Its given mean and deviation are not those of {data}: they are measured here."]
    if has_classes and config.objective.target != "classes":
        moved = _move_to_classes(moved)
        loss = moved.objective.loss
        notes += [f"{data} has classes: the target is classes and the loss is {loss} here."]
    elif not has_classes and config.objective.target == "classes":
        loss = config.objective.loss.replace("cross-entropy", "bce")
        moved = moved.replace(
            target="foreground+boundary", loss=loss, class_weights=(), squash="none"
        )
        notes += [f"{data} has objects: the target is foreground+boundary here."]
    return moved, " ".join(notes)


def _move_to_classes(config: TrainConfig) -> TrainConfig:
    """A configuration for objects with what classes can be taught by."""
    crops, watch = config.images.crops, config.optimisation.watch
    return config.replace(
        target="classes",
        loss=config.objective.loss.replace("bce", "cross-entropy"),
        class_weights=(),
        weight_map=False,
        crops="random" if crops in ("centred", "centroids", "on-objects") else crops,
        watch="val_miou" if watch == "val_ap" else watch,
    )
