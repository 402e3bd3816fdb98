"""Conditions over facts, in FHIRPath with three values."""
