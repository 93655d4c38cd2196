"""Recipes, the command that repeats them, and the files that a person takes home."""

import io
import json
import os
import resource
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image as PillowImage

from unet_core import __version__
from unet_core.base.config import ModelConfig, Objective, Segmentation, TrainConfig
from unet_core.cli import main
from unet_core.imaging import images, instances
from unet_core.imaging.measure import measure
from unet_core.network import checkpoint
from unet_core.predict import export, inference
from unet_core.predict.recipe import Recipe

# Thresholds that plain rounding would change.
AWKWARD = Segmentation(
    threshold=0.5 + 1 / 30_000, marker_threshold=-0.1, boundary_weight=1.2, min_size=2
)


def blobs(rng: np.random.Generator, shape: tuple[int, int] = (40, 56)) -> np.ndarray:
    pixels_HW = rng.integers(0, 60, shape)
    for row, column in rng.integers(0, 36, (9, 2)):
        pixels_HW[row : row + 7, column : column + 9] += 500
    return pixels_HW.astype(np.uint16)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network that was never trained: its noise is as good as any answer here."""
    torch.manual_seed(1)
    config = ModelConfig(
        train=TrainConfig.of(widths=(4, 8), device="cpu"), outputs=("foreground", "boundary")
    )
    network = checkpoint.build(config).eval()
    with torch.no_grad():  # bolder, so that there is something on both sides of a threshold
        *_, weight, bias = network.parameters()
        weight *= 30
        bias[:] = 0
    path = tmp_path / "my model.safetensors"
    checkpoint.save(path, checkpoint.Trained(config, network))
    return path


def recipe(**changes: object) -> Recipe:
    return Recipe(
        **{
            "files": ("a b.tif",),
            "files_sha256": ("0" * 64,),
            "model": "nuclei",
            "model_sha256": "1" * 64,
            "segmentation": AWKWARD,
            **changes,
        }
    )


def labelled(labels_HW: np.ndarray) -> export.Segmented:
    prob_CHW = np.stack([labels_HW > 0, labels_HW == 0]).astype(np.float32) * 0.7
    return export.Segmented(prob_CHW, Objective(), prob_CHW[0], prob_CHW[1], labels_HW)


def read_recipe(path: Path) -> Recipe:
    return Recipe.from_dict(json.loads(path.read_bytes()))


def unpack(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        assert container.testzip() is None
        return {name: container.read(name) for name in container.namelist()}


def test_a_recipe_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    given = recipe(plane=3, channel="grey", invert=True, scale=1.7, flips=True)
    assert read_recipe(export.write_recipe(tmp_path, given)) == given
    assert given.version == __version__


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"files": ("a", "b")}, "equally long, got 2 and 1"),
        ({"channel": "red"}, "channel must be a number from 0, or grey, got 'red'"),
        ({"channel": -1}, "channel"),
        ({"plane": -1}, "plane"),
        ({"scale": 0.0}, "scale"),
        ({"rotations": 7, "window": 64}, "window and rotations do not go together"),
    ],
)
def test_an_impossible_recipe_is_refused(change: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        recipe(**change)


def test_the_digest_knows_every_setting() -> None:
    others = [
        recipe(scale=1.1),
        recipe(files_sha256=("2" * 64,)),
        recipe(segmentation=AWKWARD.replace(min_size=3)),
    ]
    assert len({recipe().digest(), *(other.digest() for other in others)}) == 4
    assert recipe().digest() == recipe().digest()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("-image.tif", {}),
        ("it's; a $(name).tif", {"invert": True, "scale": 1.3}),
        ("stack.tif", {"plane": 2, "flips": True}),
        ("colour.tif", {"channel": 1}),
        ("turned.tif", {"rotations": 7}),
        ("mix.tif", {"channel": "grey", "segmentation": Segmentation(method="components")}),
    ],
)
def test_the_command_makes_equal_labels(
    tmp_path: Path,
    model: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    changes: dict,
) -> None:
    path = tmp_path / name
    shape = {"stack.tif": (4,), "colour.tif": (3,), "mix.tif": (3,)}.get(name, ())
    planes = np.stack([blobs(rng) for _ in range(*shape or (1,))])
    if "channel" in changes:
        tifffile.imwrite(path, np.moveaxis(planes, 0, -1), photometric="rgb")
    else:
        tifffile.imwrite(path, planes if shape else planes[0], photometric="minisblack")
    given = recipe(files=(name,), model=str(model), **changes)
    picture = images.take_plane(images.read_image(path), plane=given.plane, channel=given.channel)
    expected = export.segment(checkpoint.load(model, device="cpu"), picture.pixels, given)
    assert expected.labels_HW.max() > 1

    monkeypatch.chdir(tmp_path)
    python, dash_m, package, *words = shlex.split(given.command())
    assert (python, dash_m, package) == ("python", "-m", "unet_core")
    assert main.main([*words, "--out", "out", "--device", "cpu"]) == 0
    written = tmp_path / "out" / f"{path.stem}_labels.tif"
    np.testing.assert_array_equal(tifffile.imread(written), expected.labels_HW)
    again = read_recipe(tmp_path / "out" / "recipe.json")
    assert again.segmentation == given.segmentation
    assert again.files_sha256 == (images.sha256(path.read_bytes()),)


def test_segment_is_predict_and_then_instances(model: Path, rng: np.random.Generator) -> None:
    trained, pixels_HW = checkpoint.load(model, device="cpu"), blobs(rng)
    found = export.segment(trained, pixels_HW, recipe())
    assert found.prob_CHW.shape == (2, *pixels_HW.shape)
    expected_HW = instances.segment(found.prob_CHW[0], found.prob_CHW[1], AWKWARD)
    np.testing.assert_array_equal(found.labels_HW, expected_HW)


@pytest.mark.parametrize(
    "changes",
    [{"invert": True}, {"scale": 1.5}, {"flips": True}, {"rotations": 3}, {"window": 32}],
    ids=lambda one: next(iter(one)),
)
def test_each_treatment_reaches_the_network(
    model: Path, rng: np.random.Generator, changes: dict
) -> None:
    trained, pixels_HW = checkpoint.load(model, device="cpu"), blobs(rng)
    plain, treated = (
        export.segment(trained, pixels_HW, given) for given in (recipe(), recipe(**changes))
    )
    expected_CHW = inference.predict(trained, pixels_HW, **changes)
    np.testing.assert_array_equal(treated.prob_CHW, expected_CHW)
    assert not np.array_equal(treated.prob_CHW, plain.prob_CHW)


@pytest.mark.parametrize("shape", [(1, 1), (5, 30)])
@pytest.mark.parametrize("target", ["foreground+boundary", "three-class", "foreground", "classes"])
def test_an_image_without_contrast_holds_nothing(shape: tuple[int, int], target: str) -> None:
    outputs = {"foreground+boundary": 2, "three-class": 3, "foreground": 1, "classes": 2}[target]
    loss = "cross-entropy" if target in ("three-class", "classes") else "bce"
    train = TrainConfig.of(widths=(4, 8), target=target, loss=loss)
    config = ModelConfig(train=train, outputs=tuple("abc"[:outputs]))
    network = checkpoint.build(config).eval()
    with torch.no_grad():  # it sees objects everywhere
        [bias for name, bias in network.named_parameters() if name.endswith("bias")][-1][:] = 9.0
    trained = checkpoint.Trained(config, network)
    found = export.segment(
        trained, np.full(shape, 7, np.uint8), recipe(segmentation=Segmentation())
    )
    assert found.labels_HW.shape == shape
    assert not found.labels_HW.any()


def test_written_files_hold_what_was_found(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels_HW = blobs(rng)
    labels_HW = instances.components(pixels_HW > 300)
    paths = export.write(tmp_path / "new", "x", pixels_HW, labelled(labels_HW), pixel_size_um=0.5)
    names = ["x_labels.tif", "x_overlay.png", "x_measurements.csv"]
    assert [path.name for path in paths] == names
    np.testing.assert_array_equal(tifffile.imread(paths[0]), labels_HW)
    table = pd.read_csv(paths[2])
    pd.testing.assert_frame_equal(
        table, measure(labels_HW, pixels_HW, pixel_size_um=0.5), check_dtype=False
    )
    overlay_HWC = np.asarray(PillowImage.open(paths[1]))
    is_coloured_HW = np.ptp(overlay_HWC.astype(int), axis=2) > 0
    np.testing.assert_array_equal(is_coloured_HW, labels_HW > 0)


def test_what_finds_no_room_leaves_what_was_there_before(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels_HW = blobs(rng)
    labels_HW = instances.components(pixels_HW > 300)
    paths = export.write(tmp_path, "x", pixels_HW, labelled(labels_HW * 0))
    paths.append(export.write_recipe(tmp_path, recipe()))
    before = {path: path.read_bytes() for path in paths}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            export.write(tmp_path, "x", pixels_HW, labelled(labels_HW))
        with pytest.raises(OSError, match="too large"):
            export.write_recipe(tmp_path, recipe(scale=2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_archive_holds_everything(rng: np.random.Generator) -> None:
    pixels_HW = blobs(rng)
    labels_HW = instances.components(pixels_HW > 300)
    prob_CHW = rng.random((2, *labels_HW.shape)).astype(np.float32)
    segmented = export.Segmented(prob_CHW, Objective(), prob_CHW[0], prob_CHW[1], labels_HW)
    given, source = recipe(), export.plane_tiff(pixels_HW, 0.5)
    arguments = ("a b", pixels_HW, segmented, given)
    more = {"pixel_size_um": 0.5, "channel_names": ("inside", "edge"), "source": source}
    content = export.archive(*arguments, **more)
    assert content == export.archive(*arguments, **more)
    files = unpack(content)
    assert set(files) == {
        "a b_labels.tif", "a b_overlay.png", "a b_measurements.csv", "a b_probabilities.tif",
        "recipe.json", "command.txt", "a b.tif",
    }  # fmt: skip
    stored = images.read_image(files["a b_probabilities.tif"])
    assert stored.pixels.dtype == np.uint16
    stored_CHW = np.moveaxis(stored.pixels / 65535, -1, 0)
    np.testing.assert_allclose(stored_CHW, prob_CHW, atol=0.51 / 65535)
    for name in ("a b_labels.tif", "a b_probabilities.tif", "a b.tif"):
        assert images.read_image(files[name]).pixel_size_um == pytest.approx(0.5)
    np.testing.assert_array_equal(images.read_image(files["a b.tif"]).pixels, pixels_HW)
    assert Recipe.from_dict(json.loads(files["recipe.json"])) == given
    note, command = files["command.txt"].decode().splitlines()
    assert command == given.command()
    assert note.startswith(f"# Needs U-Net Workbench {__version__}: `pip install .`")
    run = unpack(export.archive(*arguments[:3], recipe(model="a-run"), **more))["command.txt"]
    assert "# And the training run a-run: set UNET_RUNS" in run.decode()  # which is not in the zip
    assert len(pd.read_csv(io.BytesIO(files["a b_measurements.csv"]))) == labels_HW.max()


def test_nothing_found_is_a_table_without_rows(rng: np.random.Generator) -> None:
    nothing = labelled(np.zeros((40, 56), int))
    files = unpack(export.archive("s", blobs(rng), nothing, recipe(), source=b"its own bytes"))
    assert len(pd.read_csv(io.BytesIO(files["s_measurements.csv"]))) == 0
    assert files["a b.tif"] == b"its own bytes"


def test_unpacked_anywhere_the_command_makes_equal_labels(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    source = export.plane_tiff(blobs(rng, (64, 72)))
    given = recipe(files=("it's mine.tif",), model="nuclei", scale=2.0)
    pixels_HW = images.read_image(source).pixels
    found = export.segment(checkpoint.load("nuclei", device="cpu"), pixels_HW, given)
    assert found.labels_HW.max() > 1
    with zipfile.ZipFile(
        io.BytesIO(export.archive("it's mine", pixels_HW, found, given, source=source))
    ) as packed:
        packed.extractall(tmp_path)
    (tmp_path / "it's mine_labels.tif").unlink()
    # As after an installation: the package is found from every folder.
    places = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    places |= {"PYTHONPATH": str(Path(__file__).resolve().parents[3]), "CUDA_VISIBLE_DEVICES": ""}
    command = ["sh", "command.txt"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | places, check=True, timeout=120)
    again_HW = tifffile.imread(tmp_path / "it's mine_labels.tif")
    np.testing.assert_array_equal(again_HW, found.labels_HW)


@pytest.mark.parametrize(("most", "dtype"), [(65_535, np.uint16), (65_536, np.uint32)])
def test_labels_are_as_wide_as_they_need_to_be(most: int, dtype: type) -> None:
    labels_HW = np.array([[0, 1], [2, most]], np.int32)
    files = unpack(export.archive("s", np.eye(2), labelled(labels_HW), recipe(), source=b""))
    stored_HW = tifffile.imread(io.BytesIO(files["s_labels.tif"]))
    assert stored_HW.dtype == dtype
    np.testing.assert_array_equal(stored_HW, labels_HW)
