"""Makes cards from outcomes and words."""
