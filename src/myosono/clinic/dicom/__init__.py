"""DICOM objects out of a study: Structured Report, Secondary Capture, Encapsulated PDF; and de-identification.

What is written, with its templates and codes, is stated in docs/dicom.md.
"""

from myosono.clinic.dicom.deidentify import DeidentifyOptions, deidentify
from myosono.clinic.dicom.objects import KINDS, load_sources, make_objects
from myosono.clinic.dicom.pictures import load_key_pictures

__all__ = ["KINDS", "DeidentifyOptions", "deidentify", "load_key_pictures", "load_sources", "make_objects"]
