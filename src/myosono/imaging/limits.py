"""How large a source may be before it is refused; checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from myosono.errors import ImageError, UsageError


@dataclass(frozen=True)
class Limits:
    """Bounds on one source of frames.

    Parameters
    ----------
    max_bytes
        Size of the file, and of what a compressed DICOM data set inflates to.
    max_pixels
        Height times width of one frame, as its header announces them. The default is twice a 4K screen, and lets
        decoding stay below 1 GB of memory in every format (docs/security.md).
    max_frames
        Frames in one file.

    Raises
    ------
    UsageError
        If a bound is smaller than 1.
    """

    max_bytes: int = 512 * 1024 * 1024
    max_pixels: int = 16_000_000
    max_frames: int = 2_000

    def __post_init__(self) -> None:
        """Refuse bounds that would refuse everything."""
        for name in ("max_bytes", "max_pixels", "max_frames"):
            if getattr(self, name) < 1:
                raise UsageError(f"the limit {name} must be at least 1, not {getattr(self, name)}")

    def check_bytes(self, count: int, path: Path) -> None:
        """Raise `ImageError` if ``count`` bytes are too many."""
        if count > self.max_bytes:
            raise ImageError(
                f"holds {count / 1e6:,.0f} MB, more than the limit of {self.max_bytes / 1e6:,.0f} MB",
                path=path,
                remedy="Raise Limits.max_bytes to read it.",
            )

    def check_size(self, height: int, width: int, path: Path) -> None:
        """Raise `ImageError` if a frame is empty or has too many pixels."""
        if height < 1 or width < 1:
            raise ImageError(f"announces a frame of {width} x {height} pixels", path=path)
        if height * width > self.max_pixels:
            raise ImageError(
                f"announces a frame of {width} x {height} pixels, more than the limit of "
                f"{self.max_pixels / 1e6:,.6g} million",
                path=path,
                remedy="Raise Limits.max_pixels to read it.",
            )

    def check_frames(self, count: int, path: Path) -> None:
        """Raise `ImageError` if there are no frames or too many."""
        if count < 1:
            raise ImageError("holds no frame", path=path)
        if count > self.max_frames:
            raise ImageError(
                f"holds {count:,} frames, more than the limit of {self.max_frames:,}",
                path=path,
                remedy="Cut the cine shorter, or raise Limits.max_frames.",
            )
