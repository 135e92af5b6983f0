"""Format versions of what travels between rooms: raised when an older reader could no longer understand it."""

from __future__ import annotations

RUN_FORMAT = 1
"""``run.json``: written by training; read by training, evaluation's command and reporting."""

ARTEFACT_FORMAT = 2
"""The JSON in a model file: written by export, read by reading. 2: patient temperature, thresholds by class."""

ARTEFACT_METADATA_KEY = "myosono"
"""Name of the ONNX metadata property that holds that JSON."""

REGION_FORMAT = 1
"""The JSON in a file that proposes muscle regions: written by export, read by quantification."""

REGION_METADATA_KEY = "myosono_region"
"""Name of the ONNX metadata property that holds that JSON."""

REFERENCE_FORMAT = 1
"""``reference.json``: normal values of echo intensity; written and read by quantification."""
