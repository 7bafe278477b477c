#!/usr/bin/env python3
"""Stands in for llama-server: answers at once, and ends with each request that has the word "poison" in it.

It takes llama-server's own arguments. For each end it writes a line to the file that ENDS names.
"""

import json
import os
import signal
import sys

import engine_socket


class Handler(engine_socket.Handler):
    def handle_any(self, body):
        if b"poison" in body:
            with open(os.environ["ENDS"], "a") as ends:
                ends.write(own_socket + "\n")
            os.kill(os.getpid(), int(os.environ.get("SIGNAL", signal.SIGSEGV)))
            signal.pause()
        message = {"role": "assistant", "content": "Hello"}
        self.answer(200, json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "x",
                                     "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode())


own_socket = engine_socket.socket_of(sys.argv)
engine_socket.serve(own_socket, Handler)
