"""HTTP with Flask: CDS Hooks, the addresses for operators, and the pages for people."""

from cds_service.web.pages import web

__all__ = ["web"]
