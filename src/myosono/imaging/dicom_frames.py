"""The frames of a data set, decoded one by one: in this process by pydicom, or apart where GDCM is needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import Decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import UID

from myosono.imaging.apart import separate_decoder
from myosono.imaging.dicom_streams import decoder_of

Decoded = tuple[NDArray[Any], str]
"""Pixels ``(height, width)`` or ``(height, width, samples)`` without colour conversion, and what these values are."""


def decoded_frames(
    dataset: Dataset, syntax: UID, decoder: Decoder, numbers: Sequence[int], count: int
) -> Iterator[Decoded]:
    """Decode frames of the given numbers, from 0 and ascending; fewer if the data set ends before.

    Parameters
    ----------
    dataset
        With Pixel Data, of ``count`` frames by its header.
    syntax, decoder
        How it is encoded, and pydicom's decoder for that.
    numbers, count
        Which frames, of how many.

    Raises
    ------
    ValueError, RuntimeError
        Among others, from the iterator, if a frame is damaged.
    """
    if decoder_of(syntax) == "gdcm":
        return _apart(dataset, syntax, numbers, count)
    return _here(dataset, syntax, decoder, numbers, count)


def _here(dataset: Dataset, syntax: UID, decoder: Decoder, numbers: Sequence[int], count: int) -> Iterator[Decoded]:
    # Told of all frames, it would go on past a wrong count; told of each, it would refuse to begin.
    chosen = None if len(numbers) == count else list(numbers)
    frames = decoder.iter_array(dataset, indices=chosen, raw=True, decoding_plugin=decoder_of(syntax))
    for pixels, properties in islice(frames, len(numbers)):
        yield pixels, str(properties["photometric_interpretation"])


def _apart(dataset: Dataset, syntax: UID, numbers: Sequence[int], count: int) -> Iterator[Decoded]:
    options: dict[str, Any] = as_pixel_options(dataset)
    streams = generate_frames(
        dataset.PixelData, number_of_frames=count, extended_offsets=options.pop("extended_offsets", None)
    )
    facts = {key: value for key, value in options.items() if key not in ("number_of_frames", "pixel_vr")}
    facts["transfer_syntax_uid"] = str(syntax)
    wanted = frozenset(numbers)
    for number, stream in enumerate(islice(streams, numbers[-1] + 1)):
        if number in wanted:
            yield separate_decoder.decode(stream, facts)
