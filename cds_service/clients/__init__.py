"""Which CDS Client is calling, and how often it may call."""
