"""Start sekmet-fhir, a small FHIR R4 server, as a process: `python sekmet_server.py PORT FOLDER`.

It asks for a bearer token and keeps a list of the requests that reached it, at /seen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOKEN = "token-of-the-fixtures"


def main(port: int, folder: Path) -> None:
    """Serve until killed; `folder` takes the database."""
    import uvicorn
    from sekmet.config import ServerAuth, Settings, SimulatorSettings, ValidationSettings
    from sekmet.main import create_app

    settings = Settings(
        base_url=f"http://127.0.0.1:{port}/fhir",
        host="127.0.0.1",
        port=port,
        data_dir=str(folder),
        server_auth=ServerAuth(types=["bearer"], tokens=[TOKEN]),
        # Some fixtures are odd on purpose, and nothing is to happen by itself.
        validation=ValidationSettings(inbound="off"),
        simulator=SimulatorSettings(enabled=False),
        own_private_key_path=str(folder / "key.pem"),
        log_inbound=False,
    )
    uvicorn.run(Seen(create_app(settings)), host="127.0.0.1", port=port, log_level="warning")


class Seen:
    """An ASGI application around another, that tells at /seen what was asked of it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._requests: list[dict[str, str]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/seen":
            await self._tell(send)
        else:
            headers = dict(scope["headers"])
            self._requests.append(
                {
                    "method": scope["method"],
                    "path": scope["path"],
                    "query": scope["query_string"].decode(),
                    "authorization": headers.get(b"authorization", b"").decode(),
                    "cookie": headers.get(b"cookie", b"").decode(),
                }
            )
            await self._app(scope, receive, send)

    async def _tell(self, send: Any) -> None:
        body = json.dumps(self._requests).encode()
        self._requests.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
