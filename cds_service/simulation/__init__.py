"""Whole populations: how often each card would come, for whom, and whether it would be right."""
