"""Stands for a web front behind the proxy: real HTTP, a process of its own, and its answers say what reached it.

Standard library only. Each POST it takes in is a line in /srv/received, written before it is answered, with its path
and the header X-Test. With X-Test-Die it then ends without an answer, as a front that is killed.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = int(sys.argv[1])
STATIC = Path("/srv/static")
TYPES = {".css": "text/css; charset=UTF-8", ".js": "text/javascript; charset=UTF-8", ".woff2": "font/woff2"}
# As webfront/application.py sets them, behind TLS.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
}


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/static/"):
            self.send_file(STATIC / path.removeprefix("/static/"))
        elif path == "/api/v1/me" and self.headers.get("Authorization") != "Bearer good":
            self.answer(401, {"error": {"code": "not_signed_in"}})
        elif path == "/page":
            self.answer(200, "<p>a page with a token</p>" * 200, "text/html; charset=UTF-8")
        else:
            if "X-Test-Slow" in self.headers:
                time.sleep(float(self.headers["X-Test-Slow"]))
            self.answer(200, self.told())

    do_HEAD = do_GET  # noqa: N815 # the name is the method's

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        with Path("/srv/received").open("a") as file:
            file.write(f"{PORT} {self.path} {self.headers.get('X-Test', '')}\n")
        if "X-Test-Die" in self.headers and not Path("/srv/died").exists():
            Path("/srv/died").touch()
            os._exit(1)
        if self.headers.get("Authorization") == "Bearer bad":
            self.answer(401, {"error": {"code": "not_signed_in"}})
        else:
            self.answer(201, self.told() | {"body": len(body), "sha256": hashlib.sha256(body).hexdigest()})

    def told(self) -> dict[str, object]:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return {"front": PORT, "method": self.command, "path": self.path, "headers": headers}

    def send_file(self, path: Path) -> None:
        if not path.is_file():
            self.answer(404, {"error": {"code": "not_found"}})
            return
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        kept = "public, max-age=604800" if path.suffix == ".woff2" else "no-cache"
        more = {"ETag": tag, "Cache-Control": kept, "X-Front": str(PORT), "X-Served-At": str(time.time())}
        same = self.headers.get("If-None-Match", "").removeprefix("W/") == tag
        self.send(304 if same else 200, b"" if same else content, TYPES.get(path.suffix, "text/plain"), more)

    def answer(self, status: int, content: object, kind: str = "application/json") -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        self.send(status, text.encode(), kind, {"Cache-Control": "no-store"})

    def send(self, status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, **headers, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 256


Server(("127.0.0.1", PORT), Front).serve_forever()
