#!/usr/bin/env python3
"""Stands in for llama-server: answers at once, and ends with each request that has the word "poison" in it.

It takes llama-server's own arguments. For each end it writes a line to the file that ENDS names.
"""

import http.server
import json
import os
import signal
import socketserver
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if b"poison" in body:
            with open(os.environ["ENDS"], "a") as ends:
                ends.write(own_socket + "\n")
            os.kill(os.getpid(), int(os.environ.get("SIGNAL", signal.SIGSEGV)))
            signal.pause()
        message = {"role": "assistant", "content": "Hello"}
        reply = json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "x",
                            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = handle_any

    def log_message(self, *_):
        pass

    def address_string(self):
        return "unix"


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


own_socket = sys.argv[sys.argv.index("--host") + 1]
Server(own_socket, Handler).serve_forever()
