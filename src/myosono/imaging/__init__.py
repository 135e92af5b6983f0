"""Pictures in, frames out: images, DICOM and cine loops as 8-bit grey with their B-mode area.

Examples
--------
>>> import tempfile, pathlib
>>> from PIL import Image
>>> path = pathlib.Path(tempfile.mkdtemp()) / "P001_RD_1.png"
>>> Image.new("L", (64, 48), 90).save(path)
>>> frame = read_frame(path)
>>> frame.pixels.shape, frame.patient_id, frame.muscle, frame.side
((48, 64), 'P001', 'D', 'R')
"""

from myosono.imaging.area import find_b_mode_area
from myosono.imaging.file_names import bare_name, printable, safe_name, unique_names
from myosono.imaging.frame import Area, Frame, GreyImage
from myosono.imaging.limits import Limits
from myosono.imaging.marks import is_own_result, result_mark, save_result
from myosono.imaging.naming import NameFacts, facts_from_name
from myosono.imaging.read import read_frame, read_frames
from myosono.imaging.sources import SourceList, lies_below, list_sources, natural_key

__all__ = [
    "Area",
    "Frame",
    "GreyImage",
    "Limits",
    "NameFacts",
    "SourceList",
    "bare_name",
    "facts_from_name",
    "find_b_mode_area",
    "is_own_result",
    "lies_below",
    "list_sources",
    "natural_key",
    "printable",
    "read_frame",
    "read_frames",
    "result_mark",
    "safe_name",
    "save_result",
    "unique_names",
]
