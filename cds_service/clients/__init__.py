"""Which CDS Client calls, and how often it may."""
