"""What cards/ says, as frozen values."""
