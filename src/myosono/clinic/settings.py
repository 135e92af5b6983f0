"""Settings of the clinic: one typed model, read from ``clinic.toml`` in the data folder, overridden by options."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from myosono.errors import DAMAGED_TEXT, ClinicError

SETTINGS_FILE = "clinic.toml"
DATABASE_FILE = "clinic.db"
DEFAULT_DATA = Path("clinic")
DEMO_MARK = "THIS-IS-A-DEMO.txt"
"""A file that says of a data folder that nothing in it need be kept."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class UploadLimits(_Strict):
    """What an upload may hold; the decoder has its own limits on pixels and frames (`myosono.imaging.Limits`)."""

    file_bytes: int = Field(512 * 1024**2, gt=0)
    files: int = Field(5000, gt=0)
    unpacked_bytes: int = Field(4 * 1024**3, gt=0, description="Sum of an archive's members, unpacked.")
    compression_ratio: float = Field(200.0, gt=1, description="A member that unpacks to more is refused.")
    free_bytes: int = Field(256 * 1024**2, ge=0, description="Nothing is accepted when the disk has less left.")


class Peer(_Strict):
    """A PACS that we fetch from and send to.

    Attributes
    ----------
    name
        How pages and rules call it.
    host, port, ae_title
        DIMSE address; needed by C-STORE and C-MOVE.
    dicomweb
        Root URL of its DICOMweb service, without a trailing slash; None where it has none.
    """

    name: str
    host: str = "127.0.0.1"
    port: int = Field(104, ge=1, le=65535)
    ae_title: str = Field("ANY-SCP", min_length=1, max_length=16)
    dicomweb: str | None = None
    user: str | None = None
    password: str | None = None


class SendRule(_Strict):
    """Results that are sent without being asked for, when a study has been read or signed.

    Attributes
    ----------
    when
        ``read``: every image of the study is read and no new one came for ``quiet_seconds``; ``signed``: a physician
        signed.
    calling_ae, device, only_abnormal
        Restrict the rule to studies from a sender, of a device (substring), or with a priority of at least .5.
    """

    to: str
    when: Literal["read", "signed"] = "read"
    objects: tuple[Literal["sr", "capture", "pdf"], ...] = ("sr",)
    via: Literal["dimse", "dicomweb"] = "dimse"
    calling_ae: str | None = None
    device: str | None = None
    only_abnormal: bool = False


class PacsSettings(_Strict):
    """The DICOM node."""

    ae_title: str = Field("MYOSONO", min_length=1, max_length=16)
    host: str = "127.0.0.1"
    port: int = Field(11112, ge=0, le=65535)
    max_associations: int = Field(8, ge=1, le=100)
    allowed_ae: tuple[str, ...] = ()
    quiet_seconds: float = Field(10.0, ge=0)
    timeout_seconds: float = Field(30.0, gt=0, description="A peer that is silent for longer is given up.")
    peers: tuple[Peer, ...] = ()
    rules: tuple[SendRule, ...] = ()


class ClinicSettings(_Strict):
    """All settings of reading room and DICOM node.

    Attributes
    ----------
    data
        Folder of files, database (where SQLite is used) and settings.
    database_url
        SQLAlchemy URL; None is SQLite in the data folder. ``postgresql+psycopg://user:password@host/name`` needs the
        extra ``postgresql``.
    model
        Model file; None is the one in the package.
    reference
        ``reference.json`` of normals for z-scores (`myosono reference`); None gives none.
    host, port
        Web address. Without accounts only a loopback address is accepted.
    accounts
        False lets anyone on this computer in, as reader and admin.
    tls_certificate, tls_key
        PEM files for HTTPS.
    trusted_hosts
        Names by which browsers reach the clinic, such as ``clinic.example.org``. IP addresses, this computer's own name
        and localhost are always accepted.
    trusted_proxies
        Addresses of reverse proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """

    data: Path = DEFAULT_DATA
    database_url: str | None = None
    model: Path | None = None
    reference: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    accounts: bool = True
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    session_hours: float = Field(12.0, gt=0)
    lease_seconds: float = Field(120.0, gt=0)
    language: Literal["en", "zh-CN"] = "en"
    uploads: UploadLimits = UploadLimits()
    pacs: PacsSettings = PacsSettings()

    @property
    def url(self) -> str:
        """The database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{(self.data / DATABASE_FILE).resolve()}"

    @property
    def has_database(self) -> bool:
        """Whether there is a clinic: a database that is named elsewhere counts as one."""
        return self.database_url is not None or (self.data / DATABASE_FILE).is_file()

    @property
    def files(self) -> Path:
        """Folder of stored images."""
        return self.data / "files"

    @property
    def is_demo(self) -> bool:
        """Whether the data folder is a demonstration's."""
        return (self.data / DEMO_MARK).is_file()


def load_settings(data: Path = DEFAULT_DATA, **overrides: Any) -> ClinicSettings:
    """Settings of a data folder: its ``clinic.toml`` if it has one, then what is given and is not None.

    Raises
    ------
    ClinicError
        If the file is not TOML, has an unknown key, or a value is out of range.
    """
    path = data / SETTINGS_FILE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    except DAMAGED_TEXT as error:
        raise ClinicError(f"not a TOML file: {error}", path=path, remedy="Mend or remove it.") from error
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return ClinicSettings.model_validate({**found, "data": data, **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        remedy = "Known keys are listed in docs/serve.md."
        raise ClinicError(f"setting {where}: {first['msg']}", path=path if found else None, remedy=remedy) from error
