"""Outcomes said in words."""
