"""What programs that stand in for llama-server share: HTTP on the unix socket that its arguments name."""

import http.server
import socketserver


class Handler(http.server.BaseHTTPRequestHandler):
    """A stand-in defines handle_any(body)."""
    protocol_version = "HTTP/1.1"

    def read_and_handle(self):
        self.handle_any(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    do_GET = do_POST = read_and_handle

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def address_string(self):
        return "unix"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def socket_of(arguments):
    return arguments[arguments.index("--host") + 1]


def serve(socket, handler):
    Server(socket, handler).serve_forever()
