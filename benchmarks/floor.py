"""The floor: a Flask application that reads the same JSON and always answers the same card."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Flask, Response, request

_CARD = {
    "uuid": "5e1ba7b4-1d35-4a34-9d4c-2f0a8a5d3d62",
    "summary": "The same card for everyone",
    "indicator": "info",
    "detail": "Nothing was looked at. " * 40,
    "source": {"label": "The floor of the benchmark"},
}


def create_app() -> Flask:
    """The least that a CDS Service in Flask can do with a call."""
    app = Flask(__name__, static_folder=None)

    @app.get("/cds-services")
    def discover() -> Response:
        return _json({"services": []})

    @app.post("/cds-services/<service_id>")
    def call_service(service_id: str) -> Response:
        orjson.loads(request.get_data(cache=False))
        return _json({"cards": [_CARD]})

    return app


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), mimetype="application/json")
