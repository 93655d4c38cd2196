"""Picture files on the way in: the bytes of a PNG, JPEG or TIFF become pixels with named axes.

Sizes are read from the header first, so that a small file cannot claim a large memory. Whatever is
wrong with a file comes out as one ValueError with one sentence; nothing is printed or logged.

Axes: T time, Z depth, Y rows, X columns, C channels (always last); Q and I are planes without a
meaning of their own.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unet_core.imaging.calibration import pixel_size_um

MAX_PLANE_PIXELS = 100_000_000
MAX_BYTES = 2 * 2**30

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_JPEG_END = b"\xff\xd9"
_JPEG_IN_TIFF = 7
_WHITE_IS_ZERO = 0
_PALETTE = 3
# TIFF compressions whose decoders stop at the size in the header: none, CCITT, LZW, JPEG, deflate
# (two numbers), PackBits, LZMA, Zstandard.
_TIFF_COMPRESSIONS = {1, 2, 3, 4, 5, _JPEG_IN_TIFF, 8, 32946, 32773, 34925, 50000}
_DAMAGED = "The {} file is damaged or was cut short: save or copy it again."


class _Refused(ValueError):
    """A finished sentence, to be told apart from what the decoders raise."""


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels as the file stores them (dtype kept), what their axes are, and their size.

    axes: one letter per dimension of pixels, such as "YX", "ZYX" or "TZYXC"; Y and X are always
    there, C is always last. pixel_size_um: edge of a square pixel in micrometres, None when the
    file does not say. notes: sentences about what was left out or assumed.
    """

    pixels: np.ndarray
    axes: str
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = ()


def read_image(path_or_bytes: str | Path | bytes) -> Image:
    """Image of a PNG, JPEG or TIFF file, with all its planes and channels.

    Transparency is left out (with a note), colour tables become colours, and an ImageJ colour
    table is ignored, because there the stored numbers are the data.

    Raises ValueError, one sentence: no such file, empty, another format, damaged or cut short,
    more than MAX_PLANE_PIXELS in one plane or MAX_BYTES in all, no pixels.
    """
    data = read_bytes(path_or_bytes)
    try:
        if data.startswith(_PNG_START):
            return _read_png(data)
        if data.startswith(_JPEG_START):
            return _read_jpeg(data)
        if data.startswith(_TIFF_STARTS):
            return _read_tiff(data)
    except MemoryError as error:
        raise ValueError("There is not enough memory for this picture: save it smaller.") from error
    raise ValueError(
        "The file is not a PNG, JPEG or TIFF picture, whatever its name says: "
        "export it as one of these."
    )


def is_jpeg(path_or_bytes: str | Path | bytes) -> bool:
    """True for a JPEG file, whose pixels are never exactly what was saved."""
    return read_bytes(path_or_bytes).startswith(_JPEG_START)


def read_bytes(path_or_bytes: str | Path | bytes) -> bytes:
    """The bytes of a file of at most MAX_BYTES; bytes are given back.

    Raises ValueError, one sentence: no such file, too large, empty.
    """
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        data = bytes(path_or_bytes)
    else:
        try:
            size = Path(path_or_bytes).stat().st_size
            if size > MAX_BYTES:
                raise ValueError(f"The file has {size / 2**30:.1f} GiB, {_limit_sentence()}")
            data = Path(path_or_bytes).read_bytes()
        except OSError as error:
            raise ValueError(
                f"The file {path_or_bytes} cannot be read: {error.strerror}."
            ) from error
    if not data:
        raise ValueError("The file is empty (0 bytes): save or copy it again.")
    return data


def _limit_sentence() -> str:
    return f"more than the {MAX_BYTES / 2**30:.0f} GiB that can be read: save fewer planes."


def _check_size(height: int, width: int, *, total_bytes: int) -> None:
    if total_bytes < 1:
        raise _Refused(f"The picture has no pixels: its size is {width} x {height}.")
    if height * width > MAX_PLANE_PIXELS:
        raise _Refused(
            f"The picture has {width} x {height} pixels ({height * width / 1e6:.0f} megapixels), "
            f"more than the {MAX_PLANE_PIXELS / 1e6:.0f} megapixels that can be read: "
            "crop it or save it smaller."
        )
    if total_bytes > MAX_BYTES:
        raise _Refused(f"The picture takes {total_bytes / 2**30:.1f} GiB, {_limit_sentence()}")


# --- PNG and JPEG ---------------------------------------------------------------------------------


def _read_png(data: bytes) -> Image:
    import imagecodecs

    if len(data) < 33 or data[12:16] != b"IHDR":
        raise ValueError(_DAMAGED.format("PNG"))
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    # Transparency in a chunk of its own becomes one more sample, as in types 4 and 6.
    extra = _png_has_chunk(data, b"tRNS")
    samples = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(data[25], 1) + extra
    dtype = np.dtype(np.uint16 if data[24] == 16 else np.uint8)
    _check_size(height, width, total_bytes=height * width * samples * dtype.itemsize)
    pixels = np.empty((height, width, samples) if samples > 1 else (height, width), dtype)
    try:
        imagecodecs.png_decode(data, out=pixels)
    except Exception as error:  # whatever a decoder meets in hostile bytes
        # After an error the decoder holds on to the array for ever: leave it nothing.
        pixels.resize(0, refcheck=False)
        raise ValueError(_DAMAGED.format("PNG")) from error
    return _flat_picture(pixels, has_alpha=samples in (2, 4))


def _png_has_chunk(data: bytes, kind: bytes) -> bool:
    """True when a chunk of this kind stands before the pixels."""
    at = len(_PNG_START)
    while at + 8 <= len(data) and data[at + 4 : at + 8] not in (kind, b"IDAT"):
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return data[at + 4 : at + 8] == kind


def _read_jpeg(data: bytes) -> Image:
    import imagecodecs

    frame = _jpeg_frame(data)
    if frame is None:
        raise ValueError(_DAMAGED.format("JPEG"))
    height, width, samples, end = frame
    _check_size(height, width, total_bytes=height * width * samples)
    if samples == 4:
        raise ValueError("The JPEG has four printing colours (CMYK): save it as grey or RGB.")
    # The decoder fills what is missing with grey and says nothing.
    if data.rfind(_JPEG_END) < end:
        raise ValueError(_DAMAGED.format("JPEG"))
    try:
        pixels = imagecodecs.jpeg8_decode(data)
    except Exception as error:  # whatever a decoder meets in hostile bytes
        raise ValueError(_DAMAGED.format("JPEG")) from error
    return _flat_picture(pixels, has_alpha=False)


def _jpeg_frame(data: bytes) -> tuple[int, int, int, int] | None:
    """Height, width and samples of a JPEG stream, and where its frame header ends."""
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF or data[at + 1] in (0x00, 0x01, 0xFF) or 0xD0 <= data[at + 1] <= 0xD8:
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        # 0xC0 to 0xCF start a frame, but for the tables and the reserved one among them.
        if 0xC0 <= data[at + 1] <= 0xCF and data[at + 1] not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
            return height, width, data[at + 9], at + 2 + length
        at += 2 + length
    return None


def _flat_picture(pixels: np.ndarray, *, has_alpha: bool) -> Image:
    notes: tuple[str, ...] = ()
    if has_alpha:
        pixels, notes = pixels[..., :-1], ("The transparency was left out.",)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return Image(pixels, "YX" if pixels.ndim == 2 else "YXC", None, notes)


# --- TIFF -----------------------------------------------------------------------------------------


def _read_tiff(data: bytes) -> Image:
    import tifffile

    # It reports what it meets in a bad file; the sentence we raise says all of it.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)
    try:
        # _multifile: no file makes us open others that it names.
        with io.BytesIO(data) as file, tifffile.TiffFile(file, _multifile=False) as tiff:
            series = tiff.series[0]
            _check_tiff(tiff, series, data)
            pixels, axes, notes = _arrange(series.asarray(), series.axes)
            pixels, axes, notes = _use_colours(pixels, axes, notes, tiff=tiff, page=series.keyframe)
            if len(tiff.series) > 1:
                notes += (f"The file holds {len(tiff.series)} pictures; the first is used.",)
            size, size_notes = pixel_size_um(tiff)
            return Image(pixels, axes, size, notes + size_notes)
    except (_Refused, MemoryError):
        raise
    except Exception as error:  # whatever a decoder meets in hostile bytes
        raise ValueError(_DAMAGED.format("TIFF")) from error


def _check_tiff(tiff: Any, series: Any, data: bytes) -> None:
    """Refuse, from the header alone, what is too large, incomplete or in an unread encoding."""
    page, dtype = series.keyframe, np.dtype(series.dtype)
    shape = dict(zip(series.axes, series.shape, strict=True))
    total_bytes = math.prod(int(side) for side in series.shape) * dtype.itemsize
    _check_size(shape["Y"], shape["X"], total_bytes=total_bytes)
    if int(page.compression) not in _TIFF_COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise _Refused(
            f"TIFF files with {name} compression are not read: save it with LZW or deflate."
        )
    # tifffile answers a number format that does not exist with an empty array.
    if page.dtype is None:
        raise _Refused(_DAMAGED.format("TIFF"))
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise _Refused(f"The pixels are {dtype.name} numbers: save them as integers or floats.")
    # A tile is decoded whole, however little of it lies in the picture.
    strip = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
    piece = page.tile if page.is_tiled else strip
    rows, columns = piece[-2:]
    piece_bytes = math.prod(piece) * page.samplesperpixel * dtype.itemsize
    _check_size(rows, columns, total_bytes=piece_bytes)
    for start, length in _segments(tiff, series):
        if start + length > len(data):
            raise _Refused(_DAMAGED.format("TIFF"))
        if page.compression == _JPEG_IN_TIFF and length:
            frame = _jpeg_frame(data[start : start + length])
            if frame is None or frame[0] > rows + 16 or frame[1] > columns + 16:
                raise _Refused(_DAMAGED.format("TIFF"))


def _segments(tiff: Any, series: Any) -> Iterator[tuple[int, int]]:
    """First byte and length of every stored piece that the pixels need."""
    for page in series.pages:
        if page is None:
            raise _Refused("Planes of this OME-TIFF are missing: save it as one complete file.")
        keyframe = page.keyframe
        if not keyframe.is_contiguous and len(page.dataoffsets) < math.prod(keyframe.chunked):
            raise _Refused(_DAMAGED.format("TIFF"))
        yield from zip(page.dataoffsets, page.databytecounts, strict=True)
    if series.dataoffset is not None:
        yield series.dataoffset, math.prod(series.shape) * np.dtype(series.dtype).itemsize
    # Where the list of pages ends there is a 0; in a file cut short it points behind the end.
    file, at = tiff.filehandle, tiff.pages.next_page_offset
    if at is not None:
        file.seek(at)
        following = file.read(tiff.tiff.offsetsize)
        yield int.from_bytes(following, "little" if tiff.byteorder == "<" else "big"), 0


def _arrange(pixels: np.ndarray, axes: str) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Pixels with planes first, then rows, columns and channels; only these letters."""
    notes: tuple[str, ...] = ()
    if "S" in axes:
        axes = axes.replace("C", "Q").replace("S", "C")
    elif axes[:-1] in ("QY", "IY") and pixels.shape[-1] <= 8 < min(pixels.shape[:-1]) // 4:
        # What a program writes that hands over rows x columns x channels without saying so.
        axes = "YXC"
        notes = (f"The {pixels.shape[-1]} narrow columns were taken for channels.",)
    keep = [i for i, letter in enumerate(axes) if letter in "YX" or pixels.shape[i] > 1]
    order = sorted(keep, key=lambda i: "YXC".find(axes[i]))
    squeezed = np.transpose(pixels, order + [i for i in range(pixels.ndim) if i not in keep])
    squeezed = squeezed.reshape(squeezed.shape[: len(order)])
    native = squeezed.astype(squeezed.dtype.newbyteorder("="), copy=False)
    return native, "".join(axes[i] for i in order), notes


def _use_colours(
    pixels: np.ndarray, axes: str, notes: tuple[str, ...], *, tiff: Any, page: Any
) -> tuple[np.ndarray, str, tuple[str, ...]]:
    """Transparency left out, a colour table looked up unless its numbers are the data."""
    # Only beside the other samples of a pixel: planes of their own are channels in truth.
    alpha = (
        []
        if page.planarconfig != 1
        else [
            page.samplesperpixel - len(page.extrasamples) + i
            for i, kind in enumerate(page.extrasamples)
            if kind in (1, 2)
        ]
    )
    if axes.endswith("C") and alpha and len(alpha) < pixels.shape[-1]:
        pixels = np.delete(pixels, alpha, axis=-1)
        notes += ("The transparency was left out.",)
        if pixels.shape[-1] == 1:
            pixels, axes = pixels[..., 0], axes[:-1]
    if page.photometric == _PALETTE and page.colormap is not None and "C" not in axes:
        table = np.asarray(page.colormap)
        rising = bool(np.all(np.diff(table.sum(axis=0, dtype=np.int64)) >= 0))
        if tiff.is_imagej or rising:
            notes += ("The colour table was ignored: the stored numbers are used.",)
        else:
            return (table.T >> 8).astype(np.uint8)[pixels], axes + "C", notes
    if page.photometric == _WHITE_IS_ZERO:
        notes += ("The file shows small numbers bright; the stored numbers are used.",)
    return pixels, axes, notes
