"""Pages that a person opens: made on the server, without a script."""

from cds_service.web.pages import web

__all__ = ["web"]
