"""The JSON of CDS Hooks: what comes in and goes out. No Flask here, and no I/O."""
