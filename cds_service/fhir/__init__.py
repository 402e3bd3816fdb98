"""Fetching from the FHIR server of a call: which one, over what connection, how much, how long."""
