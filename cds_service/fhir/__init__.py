"""Fetching from the FHIR server of a call: which servers, which connections, and the limits."""
