"""Decides rules and causes for one record."""
