"""CDS Hooks as JSON: what comes in and goes out, without Flask and without input or output."""
