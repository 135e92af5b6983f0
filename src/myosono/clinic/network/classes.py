"""Which SOP classes and transfer syntaxes the node takes (docs/pacs.md states them as a conformance statement)."""

from __future__ import annotations

from pydicom import uid

IMAGE_CLASSES: tuple[str, ...] = (
    uid.UltrasoundImageStorage,
    uid.UltrasoundMultiFrameImageStorage,
    "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage, retired
    "1.2.840.10008.5.1.4.1.1.3",  # Ultrasound Multi-frame Image Storage, retired
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)
"""Storage classes that hold ultrasound: old scanners write the retired ones, frame grabbers Secondary Capture."""

TRANSFER_SYNTAXES: tuple[str, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLSNearLossless,
    uid.JPEG2000,
)
"""In the order in which we choose where a sender leaves the choice to us: what loses nothing comes first, so that no
sender compresses for us."""

RESULT_CLASSES: tuple[str, ...] = (
    uid.ComprehensiveSRStorage,
    uid.Comprehensive3DSRStorage,
    uid.EnhancedSRStorage,
    uid.EncapsulatedPDFStorage,
)
"""What we may send besides images; never accepted as input."""
