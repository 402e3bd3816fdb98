"""Rules and causes decided for one record."""
