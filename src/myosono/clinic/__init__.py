"""The clinic: a reading room in the browser, and DICOM in and out of a PACS. Extra ``clinic``; never torch."""
