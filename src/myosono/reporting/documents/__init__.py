"""The paperwork of a run: model card, CLAIM 2024, TRIPOD+AI and a change record, from the run folder's own facts.

What a run folder cannot know is marked open for the authors, never invented.
"""

from myosono.reporting.documents.card import model_card, toolkit_card
from myosono.reporting.documents.change import change_record
from myosono.reporting.documents.claim import claim_checklist
from myosono.reporting.documents.record import Document
from myosono.reporting.documents.source import DocumentSource, read_document_source
from myosono.reporting.documents.tripod import tripod_checklist
from myosono.reporting.documents.version import Version, read_version, version_of_run
from myosono.reporting.documents.write import Format, render_document, write_document

__all__ = [
    "Document",
    "DocumentSource",
    "Format",
    "Version",
    "change_record",
    "claim_checklist",
    "model_card",
    "read_document_source",
    "read_version",
    "render_document",
    "toolkit_card",
    "tripod_checklist",
    "version_of_run",
    "write_document",
]
