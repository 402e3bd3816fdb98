"""Looks at a FHIR server, or at an installation of this service, and says what to mend."""
