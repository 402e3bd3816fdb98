"""FHIR resources of any shape, read once and indexed."""
