"""The content of cards/ as frozen values."""
