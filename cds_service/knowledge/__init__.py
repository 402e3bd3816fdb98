"""The pure evaluator: no Flask, no network, no clock, no environment, no logging of values."""

from cds_service.knowledge.content import Knowledge, Service
from cds_service.knowledge.loader import load

__all__ = ["Knowledge", "Service", "load"]
