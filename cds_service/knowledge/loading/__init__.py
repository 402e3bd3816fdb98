"""Reads and checks cards/, and builds the knowledge from it."""
