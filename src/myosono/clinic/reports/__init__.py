"""What leaves the clinic on paper or as data: HTML, PDF, CSV, FHIR R4."""
