"""The content as FHIR knowledge artifacts (R4, CRMI shareable), to read and to catalogue."""
