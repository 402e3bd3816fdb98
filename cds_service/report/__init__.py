"""What the store remembers, as figures that a person reads."""
