"""The one exception family of myosono.

Every message names the file (where there is one), the reason, and the remedy, on one line, so that the
command line can print it as it is and a server can put it in a JSON body.
"""

from __future__ import annotations

from pathlib import Path

DAMAGED_TEXT = (OSError, ValueError, RecursionError)
"""What parsers of JSON, TOML and YAML raise for a damaged or hostile file; nesting without end is no `ValueError`."""

DAMAGED_TABLE = (*DAMAGED_TEXT, ArithmeticError, AttributeError, LookupError, TypeError, NotImplementedError)
"""What pandas and pyarrow raise for one; found by fuzzing (benchmarks/fuzz.py)."""


INTERRUPTED, TERMINATED = 130, 143
"""Exit codes of a program that Ctrl-C or SIGTERM ended, as shells have them (128 and the signal's number)."""


class MyosonoError(Exception):
    """Base of every error that myosono raises on purpose.

    Parameters
    ----------
    reason
        What is wrong, in one clause.
    path
        The file or folder concerned, if there is one.
    remedy
        What the user can do about it, if anything is known.
    """

    def __init__(self, reason: str, *, path: str | Path | None = None, remedy: str | None = None) -> None:
        self.reason = reason
        self.path = None if path is None else Path(path)
        self.remedy = remedy
        super().__init__(self._message())

    def _message(self) -> str:
        parts = f"{self.path}: {self.reason}" if self.path is not None else self.reason
        message = f"{parts.rstrip('.')}. {self.remedy}" if self.remedy else parts
        return " ".join(message.split())

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and workers send errors home.
        return (_rebuild, (type(self), self.reason, self.path, self.remedy))


def _rebuild(kind: type[MyosonoError], reason: str, path: Path | None, remedy: str | None) -> MyosonoError:
    return kind(reason, path=path, remedy=remedy)


class UsageError(MyosonoError):
    """The request itself cannot be carried out (exit code 2)."""


class ImageError(MyosonoError):
    """A source of pixels cannot be read, or exceeds a limit."""


class CohortError(MyosonoError):
    """A cohort or its sources are inconsistent, incomplete or unreadable."""


class DownloadError(MyosonoError):
    """A public release could not be fetched, or is not what was announced."""


class SplitError(MyosonoError):
    """A split cannot be made, or contradicts its cohort."""


class RecipeError(MyosonoError):
    """A recipe holds an unknown key or a value that is out of range."""


class ModelError(MyosonoError):
    """An unknown network name, or an input that a network cannot take."""


class RunError(MyosonoError):
    """A run folder is incomplete, inconsistent, or of another version."""


class PredictionsError(MyosonoError):
    """A predictions table lacks columns or holds impossible values."""


class ArtefactError(MyosonoError):
    """A model file is damaged, of another kind, or of a newer format."""


class MissingExtraError(MyosonoError):
    """A feature needs packages of an extra that is not installed."""


class ClinicError(MyosonoError):
    """The reading room or the DICOM node cannot do what was asked: settings, database, accounts, a study's state."""


class UploadError(ClinicError):
    """Bytes that were offered to the clinic are refused: too large, an unsafe archive, nothing that can be read."""


class DiskFullError(UploadError):
    """Nothing more is accepted until there is room on the disk; the sender may try again (DICOM 0xA700, HTTP 507)."""


class OwnResultError(UploadError):
    """A heat map or report that this package made comes back as if it were an image to read."""


class NotFoundError(ClinicError):
    """No such study, image, user or report (HTTP 404)."""


class ForbiddenError(ClinicError):
    """The user may not do this (HTTP 403)."""


class ConflictError(ClinicError):
    """It contradicts what is already recorded, such as changing a signed reading (HTTP 409)."""


class PeerError(ClinicError):
    """A PACS could not be reached, or refused."""


class UnavailableError(ClinicError):
    """Something the clinic needs is gone for now: the database, space on the disk (HTTP 503). Try again later."""
