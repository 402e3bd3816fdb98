"""The pure evaluator: no Flask, no network, no clock, no environment, no logging of values."""

from cds_service.knowledge.content.service import Knowledge, Service
from cds_service.knowledge.loading.loader import load

__all__ = ["Knowledge", "Service", "load"]
