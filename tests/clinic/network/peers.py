"""Real peers from Debian, each private to a test session: Orthanc with DICOMweb, and DCMTK's archive."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ORTHANC = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/bin")
DICOMWEB_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "clinic", "for-tests-only"


def dcmtk(tool: str) -> str:
    """A tool of DCMTK; pynetdicom installs some of the same names, so only the system's folder is searched."""
    found = shutil.which(tool, path="/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{tool} is not installed (apt-get install dcmtk)")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"ended with code {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on {port}")


class Orthanc:
    """An Orthanc of one's own: its REST API tells what it really holds."""

    def __init__(self, folder: Path, modalities: Mapping[str, tuple[str, int]]) -> None:
        if ORTHANC is None or not DICOMWEB_PLUGIN.exists():
            pytest.skip("Orthanc with DICOMweb is not installed (apt-get install orthanc orthanc-dicomweb)")
        self.folder = folder
        self.dicom_port, self.http_port = free_port(), free_port()
        self.modalities = modalities
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def dicomweb(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {
            "Name": "test",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(DICOMWEB_PLUGIN)],
            "DicomAet": "ORTHANC",
            "DefaultEncoding": "Utf8",  # else C-FIND answers in Latin-1, without what that lacks
            "DicomPort": self.dicom_port,
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomModalities": {name: [aet, "127.0.0.1", port] for name, (aet, port) in self.modalities.items()},
            "DicomAlwaysAllowGet": True,
            "StableAge": 1,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
        }
        path = self.folder / "orthanc.json"
        path.write_text(json.dumps(config))
        with (self.folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen([str(ORTHANC), str(path)], stdout=log, stderr=log)
        wait_for_port(self.http_port, self.process)
        wait_for_port(self.dicom_port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def ask(self, path: str, data: Any = None) -> Any:
        """GET, or POST where there is data."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}")
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        body = None if data is None else json.dumps(data).encode()
        with urllib.request.urlopen(request, body, timeout=20) as response:
            return json.load(response)

    def instances(self, study_uid: str) -> list[dict[str, Any]]:
        """Tags of all objects of a study, by their names."""
        found = self.ask(
            "/tools/find", {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}, "Expand": False}
        )
        return [self.ask(f"/instances/{one}/simplified-tags") for one in found]


class DcmtkArchive:
    """``dcmqrscp``, the archive of DCMTK, which knows our AE title and port."""

    def __init__(self, folder: Path, our_port: int) -> None:
        self.tool = dcmtk("dcmqrscp")
        self.folder = folder
        self.port = free_port()
        self.our_port = our_port
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        storage = self.folder / "storage"
        storage.mkdir(parents=True)
        config = self.folder / "dcmqrscp.cfg"
        config.write_text(
            f"NetworkTCPPort = {self.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
            f"HostTable BEGIN\nclinic = (MYOSONO, 127.0.0.1, {self.our_port})\nHostTable END\n"
            "VendorTable BEGIN\nVendorTable END\n"
            f"AETable BEGIN\nARCHIVE {storage} RW (200, 1024mb) ANY\nAETable END\n"
        )
        with (self.folder / "dcmqrscp.log").open("ab") as log:
            self.process = subprocess.Popen([self.tool, "-c", str(config)], stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
