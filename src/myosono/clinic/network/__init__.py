"""DICOM on the network: storage, echo, query and retrieve, DICOMweb, sending by rule."""
