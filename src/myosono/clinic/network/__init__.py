"""DICOM on the network: receive, fetch, and send by rule; what was acknowledged or promised survives a crash."""
