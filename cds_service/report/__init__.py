"""The figures that people read, counted from the store."""
