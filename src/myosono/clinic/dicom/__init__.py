"""DICOM objects that we write, and de-identification."""
