"""cards/ read, checked and built."""
