"""One module for each version, in the order of their numbers. A released one never changes."""
