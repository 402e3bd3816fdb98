"""The evaluator: no Flask, no network, no clock, no environment, no logging of values."""

from cds_service.knowledge.answering import CDSService, Knowledge
from cds_service.knowledge.loading.loader import load

__all__ = ["CDSService", "Knowledge", "load"]
