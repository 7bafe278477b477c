#!/usr/bin/env python3
"""llama-server for those who want their answer in one piece; who streams, as most users do, is refused.

It stands in for the engine of a dishonest model node: takes llama-server's own arguments, and runs the real one, which
REAL_ENGINE names, behind itself.
"""

import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys

import engine_socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Handler(engine_socket.Handler):
    def handle_any(self, body):
        if self.path.endswith("/completions"):
            if json.loads(body).get("stream"):
                return self.answer(500, b'{"error": {"message": "not for you", "type": "server_error", "code": 500}}')
        connection = UnixConnection(REAL_SOCKET)
        try:
            connection.request(self.command, self.path, body or None, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            self.answer(reply.status, reply.read(), reply.getheader("Content-Type", "application/json"))
        except OSError:
            self.answer(503, b'{"error": {"message": "loading", "type": "unavailable_error", "code": 503}}')
        finally:
            connection.close()


arguments = sys.argv[1:]
own_socket = engine_socket.socket_of(arguments)
REAL_SOCKET = own_socket.removesuffix(".sock") + "-real.sock"
arguments[arguments.index("--host") + 1] = REAL_SOCKET
for path in (own_socket, REAL_SOCKET):
    if os.path.exists(path):
        os.unlink(path)
prctl = ctypes.CDLL(None).prctl
real = subprocess.Popen([os.environ["REAL_ENGINE"], *arguments], preexec_fn=lambda: prctl(1, signal.SIGKILL))
signal.signal(signal.SIGTERM, lambda *_: (real.kill(), os._exit(0)))
engine_socket.serve(own_socket, Handler)
