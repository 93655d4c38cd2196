"""Files that people bring, and files that should never have been written."""

import io
import itertools
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage

from unet_core.imaging.formats import MAX_BYTES, MAX_PLANE_PIXELS, Image, read_image

OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
COMPRESSIONS = [None, "lzw", "zlib", "packbits", "zstd"]


def picture(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def png(pixels: PillowImage.Image | np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    if isinstance(pixels, np.ndarray):
        pixels = PillowImage.fromarray(pixels)
    pixels.save(buffer, kind, **options)
    return buffer.getvalue()


def bare_tiff(
    width: int, height: int, *, compression: int = 1, data: bytes = b"\0" * 64, **more: int
) -> bytes:
    """A TIFF of one strip whose header says whatever the test wants."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 277: 1, 278: height}
    tags[279] = len(data)
    tags |= {int(code[1:]): value for code, value in more.items()}
    entries = b"".join(struct.pack("<HHII", code, 4, 1, tags[code]) for code in sorted(tags))
    start = 8 + len(data)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return struct.pack("<2sHI", b"II", 42, start) + data + directory


def bare_png(width: int, height: int, body: bytes, *, depth: int = 8, colour: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(body, 9))
        + chunk(b"IEND", b"")
    )


# --- What people bring ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4", "f4", "f8"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_tiff_of_every_kind_gives_back_its_pixels(compression: str | None, dtype: str) -> None:
    shapes = {"YX": (13, 17), "QYX": (6, 13, 17), "YXC": (13, 17, 3)}
    for (axes, shape), order, predictor in itertools.product(shapes.items(), "<>", (False, True)):
        # A predictor over no compression, and over 64-bit floats, is not written by tifffile.
        if predictor and (compression is None or dtype == "f8"):
            continue
        pixels = picture(dtype, shape)
        kind = "rgb" if axes == "YXC" else "minisblack"
        data = tiff(
            pixels, compression=compression, byteorder=order, predictor=predictor, photometric=kind
        )
        image = read_image(data)
        assert image.axes == axes
        assert image.pixels.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(image.pixels, pixels)


def test_a_path_reads_like_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "picture.tif"
    path.write_bytes(tiff(picture("u2", (9, 8))))
    image, same = read_image(path), read_image(path.read_bytes())
    np.testing.assert_array_equal(image.pixels, same.pixels)
    assert image.axes == same.axes == read_image(str(path)).axes


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_channels_stored_plane_by_plane_come_last(compression: str | None) -> None:
    pixels = picture("u2", (3, 13, 17))
    image = read_image(
        tiff(pixels, photometric="rgb", planarconfig="separate", compression=compression)
    )
    assert image.axes == "YXC"
    np.testing.assert_array_equal(image.pixels, np.moveaxis(pixels, 0, -1))


def test_tiles_bigtiff_and_packed_bits_are_read() -> None:
    pixels = picture("u2", (50, 70))
    tiled = tiff(pixels, tile=(16, 32), compression="lzw")
    np.testing.assert_array_equal(read_image(tiled).pixels, pixels)
    np.testing.assert_array_equal(read_image(tiff(pixels, bigtiff=True)).pixels, pixels)
    mask = pixels > 30_000
    packed = read_image(tiff(mask)).pixels
    assert packed.dtype == bool
    np.testing.assert_array_equal(packed, mask)
    fax = png(PillowImage.fromarray(mask), "TIFF", compression="group4")
    np.testing.assert_array_equal(read_image(fax).pixels, mask)


def test_jpeg_in_tiff_reads_as_pillow_reads_it() -> None:
    smooth = (np.add.outer(np.arange(40), np.arange(50)) * 2).astype(np.uint8)
    for picture_, kind in ((smooth, "minisblack"), (np.dstack([smooth] * 3), "rgb")):
        data = tiff(picture_, compression="jpeg", photometric=kind)
        expected = np.asarray(PillowImage.open(io.BytesIO(data)))
        np.testing.assert_array_equal(read_image(data).pixels, expected)


def test_imagej_hyperstack_keeps_axes_and_calibration() -> None:
    pixels = picture("u2", (2, 3, 4, 13, 17))
    data = tiff(
        pixels,
        imagej=True,
        resolution=(1 / 0.325, 1 / 0.325),
        metadata={"axes": "TZCYX", "unit": "um"},
    )
    image = read_image(data)
    assert image.axes == "TZYXC"
    np.testing.assert_array_equal(image.pixels, np.moveaxis(pixels, 2, -1))
    assert image.pixel_size_um == pytest.approx(0.325, rel=1e-6)


def test_ome_tiff_keeps_axes_and_calibration() -> None:
    pixels = picture("f4", (2, 3, 13, 17))
    for unit, factor in (("µm", 1), ("nm", 1000), ("mm", 0.001)):
        size = 0.1625 * factor
        metadata = {
            "axes": "CZYX",
            "PhysicalSizeX": size,
            "PhysicalSizeXUnit": unit,
            "PhysicalSizeY": size,
            "PhysicalSizeYUnit": unit,
        }
        image = read_image(tiff(pixels, ome=True, metadata=metadata))
        assert image.axes == "ZYXC"
        np.testing.assert_array_equal(image.pixels, np.moveaxis(pixels, 0, -1))
        assert image.pixel_size_um == pytest.approx(0.1625)


def test_one_file_of_a_set_of_ome_tiffs_gives_the_planes_it_has() -> None:
    here, there = (f"urn:uuid:{i * 8}-{i * 4}-{i * 4}-{i * 4}-{i * 12}" for i in "12")
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{z}.tif">{uuid}</UUID></TiffData>'
        for z, uuid in enumerate((here, there))
    )
    description = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<OME xmlns="{OME}" UUID="{here}"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint8" SizeX="17" SizeY="13" SizeC="1" SizeZ="2" SizeT="1" '
        f'PhysicalSizeX="0.25"><Channel ID="Channel:0:0"/>{planes}</Pixels></Image></OME>'
    )
    pixels = picture("u1", (13, 17))
    image = read_image(tiff(pixels, description=description, metadata=None))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.axes == "YX"
    # One side is all that the file says.
    assert image.pixel_size_um == 0.25


def test_broken_ome_metadata_cost_the_calibration_and_not_the_picture() -> None:
    pixels = picture("u1", (13, 17))
    image = read_image(tiff(pixels, description="<OME <broken> OME>", metadata=None))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixel_size_um is None


@pytest.mark.parametrize("size", ["0,5", "half a micron", "1e-9", "1e12", "-3", "nan"])
def test_an_impossible_pixel_size_costs_the_calibration_and_not_the_picture(size: str) -> None:
    pixels = picture("u1", (13, 17))
    good = tiff(pixels, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 0.25})
    assert read_image(good).pixel_size_um == 0.25
    with tifffile.TiffFile(io.BytesIO(good)) as file:
        text = str(file.ome_metadata)
    bad = text.replace('PhysicalSizeX="0.25"', f'PhysicalSizeX="{size}"')
    assert bad != text
    image = read_image(tiff(pixels, description=bad, metadata=None))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixel_size_um is None


def test_colour_planes_of_several_channels_stay_apart() -> None:
    pixels = picture("u1", (2, 3, 13, 17, 3))
    image = read_image(tiff(pixels, imagej=True, metadata={"axes": "ZCYXS"}))
    assert image.axes == "ZQYXC"
    np.testing.assert_array_equal(image.pixels, pixels)


@pytest.mark.parametrize(
    ("unit", "per_unit", "expected"),
    [
        ("CENTIMETER", 1e4 / 0.5, 0.5),
        ("CENTIMETER", 1e4 / 20, 20.0),
        ("INCH", 25_400 / 0.65, 0.65),
        ("INCH", 300, None),  # print resolutions are no calibration
        ("INCH", 72, None),
        ("CENTIMETER", 118.11, None),
        ("CENTIMETER", 1, None),
        ("NONE", 5, None),
    ],
)
def test_resolution_tags_count_unless_they_are_print_resolutions(
    unit: str, per_unit: float, expected: float | None
) -> None:
    data = tiff(picture("u1", (9, 8)), resolution=(per_unit, per_unit), resolutionunit=unit)
    size = read_image(data).pixel_size_um
    assert size == (None if expected is None else pytest.approx(expected, rel=1e-6))


def test_pixels_that_are_not_square_have_no_size_and_a_note() -> None:
    image = read_image(
        tiff(picture("u1", (9, 8)), resolution=(2e4, 1e4), resolutionunit="CENTIMETER")
    )
    assert image.pixel_size_um is None
    assert "not square (0.5 x 1 µm)" in image.notes[0]
    nearly = tiff(picture("u1", (9, 8)), resolution=(2e4, 1.99e4), resolutionunit="CENTIMETER")
    assert read_image(nearly).pixel_size_um == pytest.approx(0.5)


def test_imagej_in_pixels_or_without_a_unit_has_no_size() -> None:
    for unit in ("pixel", ""):
        data = tiff(
            picture("u1", (9, 8)), imagej=True, resolution=(3.0, 3.0), metadata={"unit": unit}
        )
        assert read_image(data).pixel_size_um is None


@pytest.mark.parametrize("unit", ["micron", "µm", r"\u00B5m", "um"])
def test_imagej_spells_micrometres_in_many_ways(unit: str) -> None:
    description = f"ImageJ=1.54f\nunit={unit}\n".encode("latin-1")
    data = tiff(
        picture("u1", (9, 8)),
        description=description,
        metadata=None,
        resolution=(4.0, 4.0),
        resolutionunit="NONE",
    )
    assert read_image(data).pixel_size_um == pytest.approx(0.25)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_png_of_every_mode_gives_its_pixels(mode: str) -> None:
    rgb = picture("u1", (13, 17, 3))
    if mode == "I;16":
        source = PillowImage.fromarray(picture("u2", (13, 17)))
    else:
        source = PillowImage.fromarray(rgb).convert(mode)
    image = read_image(png(source))
    plain = {"1": "L", "P": "RGB", "RGBA": "RGB", "LA": "L"}.get(mode)
    expected = np.asarray(source.convert(plain) if plain else source)
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.axes == ("YXC" if expected.ndim == 3 else "YX")
    assert image.pixels.dtype == expected.dtype
    assert bool(image.notes) == (mode in ("RGBA", "LA"))


def test_png_of_16_bit_colours_keeps_all_bits() -> None:
    pixels = picture("u2", (13, 17, 3))
    np.testing.assert_array_equal(read_image(imagecodecs.png_encode(pixels)).pixels, pixels)


@pytest.mark.parametrize(("mode", "hole"), [("P", 3), ("L", 3), ("RGB", (1, 2, 3)), ("1", 1)])
def test_png_with_a_transparent_colour_loses_only_the_transparency(mode: str, hole: object) -> None:
    source = PillowImage.fromarray(picture("u1", (13, 17, 3))).convert(mode)
    image = read_image(png(source, transparency=hole))
    plain = {"P": "RGB", "1": "L"}.get(mode, mode)
    np.testing.assert_array_equal(image.pixels, np.asarray(source.convert(plain)))
    assert image.notes == ("The transparency was left out.",)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_reads_as_pillow_reads_it(mode: str, progressive: bool) -> None:
    source = PillowImage.fromarray(picture("u1", (13, 17, 3))).convert(mode)
    data = png(source, "JPEG", progressive=progressive)
    expected = np.asarray(PillowImage.open(io.BytesIO(data)))
    np.testing.assert_array_equal(read_image(data).pixels, expected)


def test_tiff_transparency_is_left_out_with_a_note() -> None:
    pixels = picture("u1", (13, 17, 4))
    image = read_image(tiff(pixels, photometric="rgb", extrasamples=["unassalpha"]))
    np.testing.assert_array_equal(image.pixels, pixels[..., :3])
    assert "transparency" in image.notes[0]
    kept = read_image(tiff(pixels, photometric="minisblack", planarconfig="contig"))
    np.testing.assert_array_equal(kept.pixels, pixels)


def test_four_planes_that_tifffile_marks_as_transparency_are_channels() -> None:
    pixels = picture("u1", (4, 13, 17))
    image = read_image(tiff(pixels, photometric="rgb", planarconfig="separate"))
    np.testing.assert_array_equal(image.pixels, np.moveaxis(pixels, 0, -1))
    assert image.notes == ()


def test_tiff_colour_table_becomes_colours_unless_its_numbers_are_the_data() -> None:
    pixels = picture("u1", (13, 17))
    table = np.random.default_rng(1).integers(0, 65536, (3, 256)).astype(np.uint16)
    image = read_image(tiff(pixels, photometric="palette", colormap=table))
    assert image.axes == "YXC"
    np.testing.assert_array_equal(image.pixels, (table.T >> 8)[pixels])
    # Green as ImageJ writes it: the number is the brightness.
    green = np.zeros((3, 256), np.uint16)
    green[1] = np.arange(256) * 257
    image = read_image(tiff(pixels, photometric="palette", colormap=green))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert "colour table" in image.notes[0]


def test_channels_written_as_narrow_columns_are_found() -> None:
    pixels = picture("u1", (64, 48, 5))
    image = read_image(tiff(pixels))
    assert image.axes == "YXC"
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.notes
    assert read_image(tiff(picture("u1", (5, 64, 48)))).axes == "QYX"


def test_only_the_first_picture_of_a_file_with_several_is_used() -> None:
    buffer = io.BytesIO()
    first, second = picture("u1", (13, 17)), picture("u1", (30, 40))
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(first)
        writer.write(second)
    image = read_image(buffer.getvalue())
    np.testing.assert_array_equal(image.pixels, first)
    assert image.notes == ("The file holds 2 pictures; the first is used.",)


def test_white_is_zero_keeps_the_stored_numbers_and_says_so() -> None:
    pixels = picture("u1", (13, 17))
    image = read_image(tiff(pixels, photometric="miniswhite"))
    np.testing.assert_array_equal(image.pixels, pixels)
    assert "small numbers bright" in image.notes[0]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (1, 1, 1, 7, 9)])
def test_sides_of_one_pixel_pass(shape: tuple[int, ...]) -> None:
    pixels = picture("u1", shape)
    image = read_image(tiff(pixels, photometric="minisblack"))
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.pixels, pixels.reshape(shape[-2:]))


def test_real_stack_and_real_picture(real_data: Path) -> None:
    stack = read_image(real_data / "isbi2012" / "train-volume.tif")
    assert (stack.axes, stack.pixels.shape, stack.pixels.dtype) == ("QYX", (30, 512, 512), np.uint8)
    assert stack.pixel_size_um is None
    path = next((real_data / "dsb2018" / "test" / "images").glob("*.tif"))
    assert read_image(path).axes == "YX"


# --- What nobody should have written --------------------------------------------------------------


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def several_pages() -> bytes:
    return tiff(picture("u1", (6, 64, 64)), metadata=None, photometric="minisblack")


def without_last_strip() -> bytes:
    """Four strips, of which the lists of places and lengths name three."""
    data = bytearray(tiff(picture("u1", (24, 24)), compression="zlib", rowsperstrip=6))
    for tag in (b"\x11\x01\x04\0", b"\x17\x01\x03\0"):
        at = data.index(tag)
        data[at + 4 : at + 8] = struct.pack("<I", 3)
    return bytes(data)


def incomplete_ome() -> bytes:
    """One plane, and metadata that speak of four."""
    metadata = tifffile.OmeXml()
    metadata.addimage("uint8", (4, 13, 17), (4, 1, 1, 13, 17, 1), axes="ZYX")
    pixels = picture("u1", (13, 17))
    return tiff(pixels, description=metadata.tostring().encode(), metadata=None)


def jpeg_that_lies_in_tiff() -> bytes:
    huge = bytearray(png(np.zeros((8, 8), np.uint8), "JPEG"))
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    return bare_tiff(8, 8, compression=7, data=bytes(huge))


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"cell,area\n1,20\n", "not a PNG, JPEG or TIFF"),
    "gif": (lambda: png(np.zeros((8, 8), np.uint8), "GIF"), "not a PNG, JPEG or TIFF"),
    "png of one signature": (lambda: b"\x89PNG\r\n\x1a\n", "damaged or was cut short"),
    "png cut short": (lambda: cut(png(picture("u1", (64, 64))), 0.6), "PNG file is damaged"),
    "png without its last rows": (lambda: bare_png(64, 64, b"\0" * 65 * 10), "PNG file is damaged"),
    "png of 900 megapixels": (
        lambda: bare_png(30_000, 30_000, bytes(30_001 * 3_000)),
        "900 megapixels",
    ),
    "png of width 0": (lambda: bare_png(0, 8, b""), "has no pixels"),
    "jpeg of three bytes": (lambda: b"\xff\xd8\xff", "JPEG file is damaged"),
    "jpeg cut short": (lambda: cut(png(picture("u1", (64, 64)), "JPEG"), 0.6), "JPEG file is dam"),
    "jpeg of printing colours": (
        lambda: png(PillowImage.new("CMYK", (8, 8)), "JPEG"),
        "printing colours",
    ),
    "tiff of eight bytes": (lambda: b"II*\0\x08\0\0\0", "TIFF file is damaged"),
    "tiff cut in its pixels": (
        lambda: cut(tiff(picture("u2", (64, 64)), compression="zlib"), 0.6),
        "TIFF file is damaged",
    ),
    "plain tiff cut in its pixels": (lambda: cut(tiff(picture("u2", (64, 64))), 0.9), "TIFF file"),
    "tiff stack cut between pages": (lambda: cut(several_pages(), 0.5), "TIFF file is damaged"),
    "tiff stack without its last page": (lambda: several_pages()[:-300], "TIFF file is damaged"),
    "tiff with a strip too few": (without_last_strip, "TIFF file is damaged"),
    "tiff without a word on its pixels": (
        lambda: bare_tiff(8, 8).replace(b"\x11\x01\x04\0", b"\x0c\x01\x04\0"),
        "TIFF file is damaged",
    ),
    "tiff strip that does not unpack": (
        lambda: bare_tiff(8, 8, compression=8),
        "TIFF file is damaged",
    ),
    "tiff of 0 x 0": (lambda: bare_tiff(0, 0), "no pixels"),
    "tiff that claims 3.6 gigapixels": (lambda: bare_tiff(60_000, 60_000), "3600 megapixels"),
    "tiff whose tile claims gigabytes": (
        lambda: bare_tiff(64, 64, t322=65_536, t323=65_536, t324=8, t325=64),
        "megapixels",
    ),
    "tiff that claims 2.4 GiB": (lambda: bare_tiff(9_000, 9_000, t258=64, t277=4), "2.4 GiB"),
    "ome-tiff without most of its planes": (incomplete_ome, "Planes of this OME-TIFF are missing"),
    "tiff whose jpeg claims gigabytes": (jpeg_that_lies_in_tiff, "TIFF file is damaged"),
    "tiff of complex numbers": (lambda: tiff(np.ones((8, 8), np.complex64)), "complex64 numbers"),
    "tiff of 56-bit numbers": (lambda: bare_tiff(8, 8, t258=56), "TIFF file is damaged"),
    "tiff in an unread compression": (
        lambda: tiff(picture("u1", (64, 64)), compression="jpeg2000"),
        "JPEG2000 compression",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gives_one_sentence_at_once(
    name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    build, words = BAD[name]
    data = build()
    capfd.readouterr()
    caplog.clear()
    start = time.perf_counter()
    with pytest.raises(ValueError, match=words) as caught:
        read_image(data)
    assert time.perf_counter() - start < 2
    sentence = str(caught.value)
    assert sentence.count("\n") == 0
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.tif cannot be read: No such file"):
        read_image(tmp_path / "nowhere.tif")
    with pytest.raises(ValueError, match="cannot be read"):
        read_image(tmp_path)


def test_a_file_larger_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.tif"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # a hole: takes no disk
    with pytest.raises(ValueError, match="more than the 2 GiB"):
        read_image(path)


def test_too_little_memory_is_not_called_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiff(picture("u1", (9, 8)))

    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", full)
    with pytest.raises(ValueError, match="not enough memory for this picture"):
        read_image(data)


def test_the_largest_plane_passes_and_one_row_more_does_not() -> None:
    side = round(MAX_PLANE_PIXELS**0.5)
    largest = tiff(np.zeros((side, side), bool), compression="zlib")
    assert read_image(largest).pixels.shape == (side, side)
    with pytest.raises(ValueError, match="100 megapixels"):
        read_image(bare_tiff(side, side + 1))


def test_a_strip_that_unpacks_to_more_than_it_should_takes_no_memory() -> None:
    bomb = zlib.compress(bytes(300_000_000))
    before = resident()
    with pytest.raises(ValueError, match="TIFF file is damaged"):
        read_image(bare_tiff(8, 8, compression=8, data=bomb))
    assert resident() - before < 50


def resident() -> float:
    """Megabytes of this process in memory."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("only Linux tells how much memory a process has at this moment")
    pages = int(statm.read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_twenty_repeats_of_every_bad_file_leave_no_memory() -> None:
    noise = picture("u1", (2000, 2000))
    files = [build() for build, _ in BAD.values()]
    files += [cut(tiff(noise), 0.9), cut(png(noise), 0.9), cut(png(noise, "JPEG"), 0.9)]

    def read_all() -> None:
        for data in files:
            with pytest.raises(ValueError):
                read_image(data)

    read_all()
    before = resident()
    for _ in range(20):
        read_all()
    assert resident() - before < 50


def test_any_damage_gives_an_image_or_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(7)
    grey, colour = picture("u1", (24, 24)), picture("u1", (24, 24, 3))
    files = [
        png(grey),
        png(colour),
        png(colour, "JPEG"),
        tiff(grey),
        tiff(colour, compression="lzw", predictor=True),
        tiff(picture("u2", (5, 24, 24)), compression="zlib"),
        tiff(picture("u2", (4, 24, 24)), imagej=True),
        tiff(picture("u2", (4, 24, 24)), ome=True),
        tiff(grey, compression="jpeg"),
    ]
    pictures: list[Image] = []
    sentences: list[str] = []
    for _ in range(60):
        for data in files:
            damaged = bytearray(data)
            for at in rng.integers(0, len(data), rng.integers(1, 4)):
                damaged[at] = rng.integers(256)
            if rng.random() < 0.5:
                damaged = damaged[: rng.integers(len(data))]
            try:
                image = read_image(bytes(damaged))
            except ValueError as error:
                sentences.append(str(error))
            else:
                pictures.append(image)
    assert min(len(sentences), len(pictures)) > 50
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    assert all(image.pixels.size and "YX" in image.axes for image in pictures)
    assert all(len(image.axes) == image.pixels.ndim for image in pictures)
    assert capfd.readouterr() == ("", "")
