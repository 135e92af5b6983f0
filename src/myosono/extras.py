"""Import optional packages, or say which extra brings them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType

from myosono.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module`` or raise an error that names the extra to install.

    Parameters
    ----------
    module
        Importable name, for example ``"torch"``.
    extra
        The extra of myosono that brings it, for example ``"train"``.
    purpose
        What the user asked for, for the message.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{purpose} needs the package {module!r}, which is not installed",
            remedy=f"Install it with: pip install 'myosono[{extra}]'",
        ) from error


_TRAIN = (
    "torch",
    "timm",
    "pytorch_lightning",
    "pandas",
    "pyarrow",
    "pandera",
    "sklearn",
    "skimage",
    "scipy",
    "matplotlib",
    "pydantic",
)


_CLINIC = (
    "fastapi",
    "uvicorn",
    "python_multipart",
    "jinja2",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "argon2",
    "pynetdicom",
    "highdicom",
    "dicomanonymizer",
    "dicomweb_client",
)


def require_train(purpose: str) -> None:
    """Check that the packages of the ``train`` extra are installed, without importing them.

    Raises
    ------
    MissingExtraError
        If one is not.
    """
    _require_all(_TRAIN, "train", purpose)


def require_clinic(purpose: str) -> None:
    """Check that the packages of the ``clinic`` extra are installed, without importing them.

    Raises
    ------
    MissingExtraError
        If one is not.
    """
    _require_all(_CLINIC, "clinic", purpose)


def _require_all(packages: Iterable[str], extra: str, purpose: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(
                f"{purpose} needs the package {package!r}, which is not installed",
                remedy=f"Install it with: pip install 'myosono[{extra}]'",
            )
