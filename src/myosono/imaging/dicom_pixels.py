"""DICOM pixel values to 8-bit grey, for every photometric interpretation (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

from myosono.imaging.colour import coloured, coloured_pixels
from myosono.imaging.decoded import ColourImage, Picture
from myosono.imaging.frame import GreyImage
from myosono.imaging.grey import luma, rounded, scaled, used_bits

# Studio range of YBR_PARTIAL (PS3.3 C.7.6.3.1.2): black is 16, white is 235.
_PARTIAL_BLACK, _PARTIAL_SPAN = 16, 219


class GreyConverter:
    """Turns the frames of one data set into 8-bit grey.

    The depth that 16-bit frames really use is decided once and kept, so that grey values of one cine stay comparable:
    on the frames that `look` saw, or on the first.

    Parameters
    ----------
    dataset
        The header: look-up tables, windows, depth.
    big_endian
        True if the file is in Explicit VR Big Endian.
    """

    def __init__(self, dataset: Dataset, big_endian: bool = False) -> None:
        """Keep the header; ``big_endian`` is the byte order of the file."""
        self._dataset = dataset
        if big_endian:
            _swap_palettes(dataset)
        self._bits: int | None = None
        self._seen = 0
        self._no_window = _no_window(dataset)

    @property
    def needs_look(self) -> bool:
        """Whether the depth of the frames is not plain from the header."""
        dataset = self._dataset
        monochrome = str(dataset.get("PhotometricInterpretation", "")).startswith("MONOCHROME")
        unsigned = int(dataset.get("PixelRepresentation", 0)) == 0
        return monochrome and unsigned and int(dataset.get("BitsStored", 8)) > 8 and not self._is_windowed

    def look(self, pixels: NDArray[Any]) -> None:
        """See one frame before any is converted: a dark one must not settle the depth of all."""
        values = pixels & (2 ** int(self._dataset.BitsStored) - 1)  # overlays may lie in the other bits
        self._seen = max(self._seen, int(values.max(initial=0)))

    @property
    def _is_windowed(self) -> bool:
        return _has_value(self._dataset, "VOILUTSequence") or (
            _has_value(self._dataset, "WindowCenter") and not self._no_window
        )

    def __call__(self, pixels: NDArray[Any], photometric: str) -> Picture:
        """Convert one frame.

        Parameters
        ----------
        pixels
            Shape ``(height, width)`` or ``(height, width, 3)``, as decoded without colour conversion.
        photometric
            What these values are; a decoder may have changed it from what the header says.

        Raises
        ------
        ValueError
            If the interpretation is none of the standard's, or contradicts the number of samples.
        """
        colour = pixels.ndim == 3
        if photometric == "PALETTE COLOR" and not colour:
            return self._palette(pixels)
        if photometric in ("MONOCHROME1", "MONOCHROME2") and not colour:
            picture = self._monochrome(pixels)
            inverted = photometric == "MONOCHROME1"
            return Picture(255 - picture.pixels, picture.warnings) if inverted else picture
        if photometric in ("RGB", "YBR_RCT", "YBR_ICT") and colour:
            # Decoders of JPEG 2000 undo RCT and ICT themselves.
            peak = self._peak(pixels)
            return Picture(luma(pixels, peak), coloured=coloured_pixels(pixels, peak), rgb=_in_8_bits(pixels, peak))
        if photometric in ("YBR_FULL", "YBR_FULL_422") and colour:
            scale = np.float32(255 / self._peak(pixels))
            return _from_luma(pixels[..., 0].astype(np.float32) * scale, pixels, scale)
        if photometric.startswith("YBR_PARTIAL") and colour:
            grey = pixels[..., 0].astype(np.float32) - _PARTIAL_BLACK
            return _from_luma(grey * np.float32(255 / _PARTIAL_SPAN), pixels, np.float32(1))
        raise ValueError(f"photometric interpretation {photometric!r} with {pixels.shape[2] if colour else 1} samples")

    def _peak(self, pixels: NDArray[Any]) -> int:
        return 255 if pixels.dtype == np.uint8 else int(2 ** int(self._dataset.BitsStored) - 1)

    def _palette(self, pixels: NDArray[Any]) -> Picture:
        rgb = apply_color_lut(pixels, self._dataset)
        peak = 255 if rgb.dtype == np.uint8 else 65535
        rgb = rgb[..., :3]
        return Picture(luma(rgb, peak), coloured=coloured_pixels(rgb, peak), rgb=_in_8_bits(rgb, peak))

    def _monochrome(self, pixels: NDArray[Any]) -> Picture:
        dataset = self._dataset
        if self._is_windowed:
            return Picture(self._windowed(pixels))
        signed = int(dataset.get("PixelRepresentation", 0)) == 1
        announced = int(dataset.BitsStored)
        values = pixels.astype(np.int64)
        values = values + 2 ** (announced - 1) if signed else values & (2**announced - 1)
        if self._bits is None:
            peak = max(self._seen, int(values.max(initial=0)))
            self._bits, warning = (announced, None) if signed else used_bits(peak, announced)
            return Picture(scaled(values, self._bits), tuple(filter(None, [self._no_window, warning])))
        return Picture(scaled(values, self._bits))

    def _windowed(self, pixels: NDArray[Any]) -> GreyImage:
        dataset = self._dataset
        values = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        low, high = _output_range(dataset)
        return rounded((values.astype(np.float32) - low) * np.float32(255 / (high - low)))


def _from_luma(grey: NDArray[np.float32], ybr: NDArray[Any], scale: np.float32) -> Picture:
    cb, cr = (ybr[..., channel].astype(np.float32) * scale - 128 for channel in (1, 2))

    def rgb() -> ColourImage:  # ITU-R BT.601, as PS3.3 C.7.6.3.1.2 gives it
        channels = (grey + 1.402 * cr, grey - 0.344136 * cb - 0.714136 * cr, grey + 1.772 * cb)
        return np.stack([rounded(channel) for channel in channels], axis=-1)

    return Picture(rounded(grey), coloured=coloured(grey, cb, cr), rgb=rgb)


def _in_8_bits(rgb: NDArray[Any], peak: int) -> Callable[[], ColourImage]:
    return lambda: rounded(rgb.astype(np.float32) * np.float32(255 / peak))


def _swap_palettes(dataset: Dataset) -> None:
    # pydicom leaves OW values in the file's byte order; it minds that for segmented tables, not for plain ones.
    for element in dataset.group_dataset(0x0028):
        if element.VR != "OW" or "LookupTableData" not in element.keyword or element.keyword.startswith("Segmented"):
            continue
        dataset[element.tag].value = np.frombuffer(element.value, dtype=">u2").astype("<u2").tobytes()


def _no_window(dataset: Dataset) -> str | None:
    """What is wrong with the window, if it cannot be one: a width is 1 or more (PS3.3 C.11.2.1.2.1)."""
    if not _has_value(dataset, "WindowCenter"):
        return None
    width = dataset.get("WindowWidth")
    first = width[0] if isinstance(width, MultiValue) and len(width) else width
    if not _has_value(dataset, "WindowWidth") or first is None or float(first) >= 1:
        return None
    return f"the header gives a window of width {float(first):g}, which is none: all grey values are shown"


def _has_value(dataset: Dataset, keyword: str) -> bool:
    value = dataset.get(keyword)
    return value is not None and value != "" and not (hasattr(value, "__len__") and len(value) == 0)


def _output_range(dataset: Dataset) -> tuple[float, float]:
    """The range that pydicom windows into: that of the stored values after rescaling (PS3.3 C.11.2.1.2)."""
    if _has_value(dataset, "VOILUTSequence"):
        return 0.0, float(2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    bits = int(dataset.BitsStored)
    if _has_value(dataset, "ModalityLUTSequence"):
        return 0.0, float(2 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1)
    low, high = (
        (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if dataset.PixelRepresentation == 1 else (0.0, 2.0**bits - 1)
    )
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    return low * slope + intercept, high * slope + intercept
