"""A stand-in of Kaggle's API on loopback, for the genuine client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SERVICE = "/v1/competitions.CompetitionApiService/"
REDIRECTED = """\
import os
import kagglesdk.kaggle_env as environment
environment._env_to_endpoint[environment.KaggleEnv.PROD] = os.environ["KAGGLE_STAND_IN"]
"""
"""Lets the client, which knows one address only, speak to this server."""


@dataclass
class StandIn:
    """What the server answers, and what it was asked."""

    data: bytes = b""
    statuses: list[int] = field(default_factory=list)
    """Of the next requests, instead of an answer."""
    cut: int | None = None
    """Bytes after which the next download breaks off."""
    submissions: list[dict[str, Any]] = field(default_factory=list)
    score: str = "0.91234"
    asked: list[str] = field(default_factory=list)
    sent: dict[str, bytes] = field(default_factory=dict)
    address: str = ""


@contextmanager
def kaggle_api(folder: Path) -> Iterator[StandIn]:
    """A running server; `folder` gets the `sitecustomize.py` that the client needs."""
    state = StandIn()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            name = self.path.removeprefix(SERVICE)
            state.asked.append(name)
            if not self.headers.get("Authorization"):
                self._say(401, {"code": 401, "message": "Unauthenticated"})
            elif state.statuses:
                code = state.statuses.pop(0)
                self._say(code, {"code": code, "message": f"{code} says the stand-in"})
            else:
                self._answer(name, json.loads(body))

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            state.sent[self.path.rpartition("/")[2]] = body
            self._say(200, {})

        def do_GET(self) -> None:
            self._bytes(state.data)

        def _answer(self, name: str, request: dict[str, Any]) -> None:
            if name == "DownloadDataFiles":
                self.send_response(302)
                self.send_header("Location", f"{state.address}/files/data.zip")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif name == "StartSubmissionUpload":
                self._say(200, {"token": "t", "createUrl": f"{state.address}/upload/t"})
            elif name == "CreateSubmission":
                said = request["submissionDescription"]
                row = {"ref": 7, "fileName": "x.csv", "description": said}
                state.submissions.insert(
                    0, {**row, "status": "COMPLETE", "publicScore": state.score}
                )
                self._say(200, {"message": "Successfully submitted", "ref": 7})
            elif name == "ListSubmissions":
                self._say(200, {"submissions": state.submissions})
            else:
                self._say(404, {"code": 404, "message": "Not found"})

        def _bytes(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Thu, 05 Nov 2026 10:00:00 GMT")
            self.end_headers()
            self.wfile.write(content[: state.cut])
            if state.cut is not None:
                self.close_connection = True

        def _say(self, code: int, content: dict[str, Any]) -> None:
            text = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "sitecustomize.py").write_text(REDIRECTED)
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
