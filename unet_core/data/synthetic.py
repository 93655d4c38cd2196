"""Microscopy-like images of nuclei with known labels, drawn from a random generator.

Axes: H rows, W columns; rows before columns everywhere. Grey values are handled as photon counts
between 0 and about 1 (1 = the brightest nuclei) until the camera turns them into integers.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

VERSION = 1  # raise it when the same seed gives other pixels: data hashes depend on it

SMALLEST_SIDE, LARGEST_SIDE = 16, 4096
SMALLEST_VISIBLE = 24  # px; slivers at the border and behind a neighbour are not drawn at all


@dataclass(frozen=True)
class _Window:
    """The part of the image that one nucleus can reach, and its normalised radius there."""

    place: tuple[slice, slice]
    rho_HW: np.ndarray  # 0 at the centre, 1 on the contour


def nuclei(
    rng: np.random.Generator,
    shape: tuple[int, int] = (256, 256),
    *,
    count: int | None = None,
    radius: tuple[float, float] = (6.0, 15.0),
    elongation: tuple[float, float] = (1.0, 1.7),
    touching: float = 0.4,
    texture: float = 0.3,
    blur: tuple[float, float] = (0.6, 1.4),
    out_of_focus: float = 0.12,
    illumination: float = 0.3,
    background: tuple[float, float] = (0.02, 0.10),
    photons: tuple[float, float] = (150.0, 1200.0),
    read_noise: float = 4.0,
    bits: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """A fluorescence-like image of cell nuclei and its instance labels.

    Args:
        rng: the only source of randomness; the same state gives the same pixels.
        shape: rows, columns; each 16 to 4096.
        count: nuclei to try to place, None = drawn (sparse to crowded). Fewer are drawn when no
            free place is left.
        radius: px; each image draws its typical radius from this range, nuclei vary around it.
        elongation: range of long axis / short axis.
        touching: share of nuclei that are placed against an earlier one.
        texture: contrast of the chromatin inside a nucleus, 0 to 1.
        blur: px; range of the standard deviation of the microscope's blur.
        out_of_focus: share of nuclei above or below the focal plane, 0 to 1.
        illumination: brightness lost towards the darkest corner, 0 to 0.9.
        background: range of the background as a fraction of a bright nucleus, 0 to 1.
        photons: range of photons per pixel in a bright nucleus; fewer photons, more shot noise.
        read_noise: standard deviation of the camera's noise in photons.
        bits: 8 (uint8) or 16 (uint16, filled like a 12-bit camera, about 0 to 4095).

    Returns:
        image_HW (uint8 or uint16) and labels_HW (int32, 0 background, 1..N without gaps). Every
        object is one 8-connected region of at least 24 px; objects touch but never overlap.

    Raises:
        ValueError: an option is outside its range.
    """
    _check_shape(shape)
    _check_ranges(3.0, 60.0, radius=radius)
    _check_ranges(1.0, 4.0, elongation=elongation)
    _check_ranges(0.0, 10.0, blur=blur)
    _check_ranges(0.0, 1.0, background=background)
    _check_ranges(1.0, 1e6, photons=photons)
    _check_numbers(0.0, 1.0, touching=touching, texture=texture, out_of_focus=out_of_focus)
    _check_numbers(0.0, 0.9, illumination=illumination)
    _check_numbers(0.0, 1e4, read_noise=read_noise)
    _check_numbers(0, 10_000, count=count or 0)
    if bits not in (8, 16):
        raise ValueError(f"bits must be 8 or 16, got {bits!r}")

    typical = rng.uniform(*radius)
    count = _draw_count(rng, shape, typical) if count is None else count
    windows, labels_HW = _place_nuclei(rng, shape, count, typical, elongation, touching)
    light_HW = _paint_nuclei(rng, shape, windows, texture * rng.uniform(0.6, 1.4), out_of_focus)
    light_HW = _see(rng, light_HW, blur, background, illumination)
    return _expose(rng, light_HW, rng.uniform(*photons), read_noise, bits), labels_HW


def _draw_count(rng: np.random.Generator, shape: tuple[int, int], typical: float) -> int:
    crowding = rng.uniform(0.03, 0.30)  # fraction of the image that nuclei cover
    return max(2, round(crowding * shape[0] * shape[1] / (np.pi * typical**2)))


def _place_nuclei(
    rng: np.random.Generator,
    shape: tuple[int, int],
    count: int,
    typical: float,
    elongation: tuple[float, float],
    touching: float,
) -> tuple[list[_Window], np.ndarray]:
    labels_HW = np.zeros(shape, np.int32)
    windows: list[_Window] = []
    centres: list[tuple[np.ndarray, float]] = []
    for _ in range(3 * count):
        if len(windows) == count:
            break
        size = typical * float(np.clip(rng.normal(1.0, 0.2), 0.55, 1.7))
        if centres and rng.random() < touching:
            centre, reach = centres[rng.integers(len(centres))]
            angle = rng.uniform(0, 2 * np.pi)
            step = (reach + size) * rng.uniform(0.8, 1.0)
            centre = centre + step * np.array([np.sin(angle), np.cos(angle)])
        else:
            centre = rng.uniform(-0.5 * size, np.array(shape) + 0.5 * size)
        window = _outline(rng, shape, centre, size, rng.uniform(*elongation))
        if window is None:
            continue
        labels_win_HW = labels_HW[window.place]
        inside_HW = window.rho_HW < 1.0
        free_HW = inside_HW & (labels_win_HW == 0)
        # At most 15 % may lie behind neighbours: more would not be recognisable as a nucleus.
        if free_HW.sum() < max(SMALLEST_VISIBLE, 0.85 * inside_HW.sum()):
            continue
        if ndimage.label(free_HW, np.ones((3, 3)))[1] != 1:
            continue
        windows.append(window)
        centres.append((centre, size))
        labels_win_HW[free_HW] = len(windows)
    return windows, labels_HW


def _outline(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centre: np.ndarray,
    size: float,
    elongation: float,
) -> _Window | None:
    """A slightly dented ellipse, or None when too little of it lies in the image."""
    long, short = size * np.sqrt(elongation), size / np.sqrt(elongation)
    dents = rng.normal(0.0, [0.05, 0.03, 0.02]).clip(-0.1, 0.1)
    phases = rng.uniform(0, 2 * np.pi, 3)
    turn = rng.uniform(0, np.pi)
    reach = 1.3 * long + 2
    top, left = np.maximum(np.floor(centre - reach), 0).astype(int)
    bottom, right = np.minimum(np.ceil(centre + reach), shape).astype(int)
    if top >= bottom or left >= right:
        return None
    y_H1, x_1W = np.ogrid[top:bottom, left:right]
    y_H1, x_1W = y_H1 - centre[0], x_1W - centre[1]
    u_HW = (np.cos(turn) * x_1W + np.sin(turn) * y_H1) / long
    v_HW = (np.cos(turn) * y_H1 - np.sin(turn) * x_1W) / short
    angle_HW = np.arctan2(v_HW, u_HW)
    contour_HW = 1.0 + sum(
        dent * np.cos(k * angle_HW + phase)
        for k, dent, phase in zip((2, 3, 5), dents, phases, strict=True)
    )
    rho_HW = np.hypot(u_HW, v_HW) / contour_HW
    place = (slice(int(top), int(bottom)), slice(int(left), int(right)))
    return _Window(place, rho_HW.astype(np.float32))


def _paint_nuclei(
    rng: np.random.Generator,
    shape: tuple[int, int],
    windows: list[_Window],
    texture: float,
    out_of_focus: float,
) -> np.ndarray:
    """Light from every nucleus; where two lie over each other their light adds up."""
    sharp_HW, blurred_HW = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    fine_HW, coarse_HW = _smooth_noise(rng, shape, 1.3), _smooth_noise(rng, shape, 3.5)
    spots_HW = np.clip(fine_HW - 1.2, 0, None)  # condensed chromatin
    spottiness = rng.choice([0.0, 0.6, 1.2])
    chromatin_HW = 1.0 + texture * (0.35 * fine_HW + 0.5 * coarse_HW + spottiness * spots_HW)
    np.clip(chromatin_HW, 0.25, None, out=chromatin_HW)
    spread = rng.uniform(0.1, 0.35)
    for window in windows:
        brightness = 0.55 * np.exp(rng.normal(0.0, spread))
        if rng.random() < 0.04:  # condensed, as in division
            brightness *= 1.8
        # A nucleus is a thick disc: nearly flat, thinner towards its edge.
        height_HW = np.sqrt(np.clip(1.0 - window.rho_HW**2, 0.0, None)) ** rng.uniform(0.3, 0.9)
        layer_HW = blurred_HW if rng.random() < out_of_focus else sharp_HW
        layer_HW[window.place] += brightness * height_HW * chromatin_HW[window.place]
    sharp_HW += ndimage.gaussian_filter(blurred_HW, rng.uniform(1.5, 2.5))
    return sharp_HW


def _see(
    rng: np.random.Generator,
    light_HW: np.ndarray,
    blur: tuple[float, float],
    background: tuple[float, float],
    illumination: float,
) -> np.ndarray:
    """What a microscope makes of the light: blur, haze, background, uneven illumination."""
    light_HW = ndimage.gaussian_filter(light_HW, rng.uniform(*blur))
    light_HW += rng.uniform(0.05, 0.15) * _haze(light_HW)
    light_HW += rng.uniform(*background) * (1.0 + 0.3 * _smooth_noise(rng, light_HW.shape, 24))
    light_HW *= _illumination(rng, light_HW.shape, illumination)
    return light_HW


def _haze(light_HW: np.ndarray) -> np.ndarray:
    """Light scattered widely around bright places (three box filters, nearly a Gaussian)."""
    for _ in range(3):
        light_HW = ndimage.uniform_filter(light_HW, 25)
    return light_HW


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """Noise of mean 0 and standard deviation 1 with structures of about `sigma` px."""
    # Wide structures are drawn on a coarse grid and enlarged: the same look in a tenth of the time.
    step = max(1, int(sigma // 3))
    coarse = tuple(-(-side // step) + 1 for side in shape)
    noise_HW = rng.standard_normal(coarse, np.float32)
    noise_HW = ndimage.gaussian_filter(noise_HW, sigma / step, mode="wrap")
    if step > 1:
        noise_HW = ndimage.zoom(noise_HW, step, order=1)
    noise_HW = noise_HW[: shape[0], : shape[1]]
    deviation = float(noise_HW.std())
    return (noise_HW - noise_HW.mean()) / (deviation if deviation > 0 else 1.0)


def _illumination(rng: np.random.Generator, shape: tuple[int, int], strength: float) -> np.ndarray:
    """A factor that falls from 1 under the lamp's centre to 1 - strength in the far corner."""
    lamp = rng.uniform(0.2, 0.8, 2)
    y_H1 = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None] - np.float32(lamp[0])
    x_1W = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :] - np.float32(lamp[1])
    distance_HW = y_H1**2 + x_1W**2
    return 1.0 - np.float32(strength * rng.uniform(0, 1)) * distance_HW / distance_HW.max()


def _expose(
    rng: np.random.Generator, light_HW: np.ndarray, photons: float, read_noise: float, bits: int
) -> np.ndarray:
    """Camera integers: shot noise, read noise, a gain that leaves room for the brightest."""
    counts_HW = rng.poisson(np.clip(light_HW, 0, None) * photons).astype(np.float32)
    counts_HW += read_noise * rng.standard_normal(light_HW.shape, np.float32)
    top = 255.0 if bits == 8 else 4095.0
    offset = top * rng.uniform(0.01, 0.04)
    gain = top * rng.uniform(0.5, 0.95) / photons
    grey_HW = np.rint(offset + gain * counts_HW)
    return np.clip(grey_HW, 0, top).astype(np.uint8 if bits == 8 else np.uint16)


def _check_shape(shape: tuple[int, int]) -> None:
    good = len(shape) == 2 and all(SMALLEST_SIDE <= side <= LARGEST_SIDE for side in shape)
    if not good:
        raise ValueError(
            f"shape must be two sides of {SMALLEST_SIDE} to {LARGEST_SIDE} pixels, got {shape}"
        )


def _check_numbers(low: float, high: float, **values: float) -> None:
    for name, value in values.items():
        if not low <= value <= high:
            raise ValueError(f"{name} must be {low:g} to {high:g}, got {value}")


def _check_ranges(low: float, high: float, **ranges: tuple[float, float]) -> None:
    for name, ends in ranges.items():
        if len(ends) != 2 or not low <= ends[0] <= ends[1] <= high:
            raise ValueError(
                f"{name} must be two rising numbers between {low:g} and {high:g}, got {ends}"
            )
