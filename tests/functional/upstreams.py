"""Upstreams that answer as a test wants them to."""

import contextlib
import http.server
import json
import threading


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers the probes of its node, and nothing else."""
    protocol_version = "HTTP/1.1"

    def asked(self):
        """What is asked, and whether it is a probe."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        return body, self.command == "GET" or '"max_tokens":1,' in body

    def give(self, status, value=None):
        reply = json.dumps(value or {}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def answer(self):
        _, probe = self.asked()
        if probe:
            return self.give(200)
        self.rfile.read(1)  # until the node hangs up

    def handle_any(self):
        self.answer()

    do_GET = do_POST = do_DELETE = handle_any

    def log_message(self, *_):
        pass


class Refuser(Upstream):
    """Is there, and does nothing that it is asked."""

    def answer(self):
        self.asked()
        self.give(400)


@contextlib.contextmanager
def serving(handler):
    """Its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
