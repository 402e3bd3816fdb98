"""Logs, metrics, spans and audit of calls: ids, outcomes, times; never a value, name or token."""
