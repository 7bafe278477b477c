"""A llama-server that speaks of its cache as vLLM does: POST /tokenize, and KV events over ZeroMQ with replay.

The engine has one slot and no other cache, so it holds the last prompt that it computed, and nothing else. What of that
is whole blocks is what the events say. Their structs are vLLM's own (vllm/distributed/kv_events.py), restated.
"""

import collections
import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time
from typing import Any

import httpx
import msgspec
import zmq

from network import free_port, wait_for

BLOCK = 16


def wire(as_maps):
    """Events are maps since mid-2026, and were lists before."""

    class EventBatch(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
        ts: float
        events: list[Any]
        data_parallel_rank: int | None = None

    class KVCacheEvent(msgspec.Struct, array_like=not as_maps, omit_defaults=True, gc=False, tag=True):
        pass

    class BlockStored(KVCacheEvent):
        block_hashes: list[int | bytes]
        parent_block_hash: int | bytes | None
        token_ids: list[int]
        block_size: int
        lora_id: int | None
        medium: str | None
        lora_name: str | None
        extra_keys: list[tuple[Any, ...] | None] | None = None
        group_idx: int | None = None
        kv_cache_spec_kind: str | None = None

    class BlockRemoved(KVCacheEvent):
        block_hashes: list[int | bytes]
        medium: str | None
        group_idx: int | None = None

    return EventBatch, BlockStored, BlockRemoved


class Publisher:
    """As vLLM's ZmqEventPublisher: batches numbered from 0; the last ones are replayed to whoever asks."""

    END = (-1).to_bytes(8, "big", signed=True)

    def __init__(self, ports, keep=10_000):
        self.context = zmq.Context()
        self.pub, self.router = self.context.socket(zmq.PUB), self.context.socket(zmq.ROUTER)
        for socket, port in zip((self.pub, self.router), ports):
            socket.setsockopt(zmq.LINGER, 0)
            socket.bind(f"tcp://127.0.0.1:{port}")
        self.number, self.kept, self.lock, self.open = 0, collections.deque(maxlen=keep), threading.Lock(), True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def publish(self, payload, lost=False):
        with self.lock:
            number = self.number.to_bytes(8, "big")
            self.kept.append((self.number, payload))
            self.number += 1
            if not lost:
                self.pub.send_multipart((b"kv-events", number, payload))

    def _serve(self):
        while self.open:
            if not self.router.poll(50):
                continue
            client, _, start = self.router.recv_multipart()
            with self.lock:
                kept = list(self.kept)
            for number, payload in kept:
                if number >= int.from_bytes(start, "big"):
                    self.router.send_multipart((client, b"", number.to_bytes(8, "big"), payload))
            self.router.send_multipart((client, b"", self.END, b""))

    def close(self):
        self.open = False
        self.thread.join()
        self.pub.close()
        self.router.close()
        self.context.term()


class VllmFront:
    def __init__(self, as_maps=True, context=4096):
        self.EventBatch, self.BlockStored, self.BlockRemoved = wire(as_maps)
        self.as_maps = as_maps
        self.encode = msgspec.msgpack.Encoder().encode
        self.lock = threading.Lock()
        self.held = []  # hashes of the blocks, from the prompt's beginning
        self.lose = False
        self.events_port, self.replay_port = free_port(), free_port()
        self.publisher = Publisher((self.events_port, self.replay_port))
        engine = pathlib.Path(os.environ["PLANETSERVE_ENGINE"]) / "bin/llama-server"
        model = next(pathlib.Path(os.environ["PLANETSERVE_MODELS"]).glob("*Q4_1.gguf"))
        port = free_port()
        self.command = [engine, "-m", model, "--host", "127.0.0.1", "--port", str(port), "-np", "1", "-c", str(context), "-t", "1",
                        "--no-webui", "--cache-ram", "0"]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=False, timeout=600)
        self._start_engine()
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.path == "/tokenize":
                    tokens, texts = front.tokens_of(body["messages"])
                    answer = json.dumps({"count": len(tokens), "max_model_len": context, "tokens": tokens,
                                         "token_strs": texts if body.get("return_token_strs") else None}).encode()
                else:
                    answer = front.complete(body)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _start_engine(self):
        self.engine = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._ready, "the engine to have loaded its model", 180)

    def _ready(self):
        try:
            return self.http.get("/health").status_code == 200
        except httpx.HTTPError:
            return False

    @property
    def configuration(self):
        return (f"upstream: 'http://127.0.0.1:{self.server.server_port}', kv_events: {{endpoint: 'tcp://127.0.0.1:{self.events_port}', "
                f"replay_endpoint: 'tcp://127.0.0.1:{self.replay_port}', topic: kv-events}}")

    def tokens_of(self, messages):
        prompt = self.http.post("/apply-template", json={"messages": messages}).json()["prompt"]
        pieces = self.http.post("/tokenize", json={"content": prompt, "add_special": True, "parse_special": True,
                                                   "with_pieces": True}).json()["tokens"]
        return [piece["id"] for piece in pieces], [piece["piece"] if isinstance(piece["piece"], str) else "?" for piece in pieces]

    def hash_of(self, parent, tokens):
        digest = hashlib.sha256(repr((parent, tokens)).encode()).digest()
        return digest if self.as_maps else int.from_bytes(digest, "big") & (1 << 64) - 1

    def complete(self, body):
        """One request at a time: the engine has one slot, and the order of its events is that of its work."""
        with self.lock:
            tokens, _ = self.tokens_of(body["messages"])
            chain, parent = [], None
            for end in range(BLOCK, len(tokens) + 1, BLOCK):
                parent = self.hash_of(parent, tokens[end - BLOCK:end])
                chain.append(parent)
            common = 0
            while common < min(len(chain), len(self.held)) and chain[common] == self.held[common]:
                common += 1
            gone, self.held = self.held[common:], chain
            events = []
            if gone:
                events.append(self.BlockRemoved(gone[::-1], "GPU", 0))
            if chain[common:]:
                events.append(self.BlockStored(chain[common:], chain[common - 1] if common else None, tokens[common * BLOCK:len(chain) * BLOCK],
                                               BLOCK, None, "GPU", None, [None] * (len(chain) - common), 0, "full_attention"))
            if events:
                self.publisher.publish(self.encode(self.EventBatch(time.time(), events, 0)), self.lose)
            return self.http.post("/v1/chat/completions", json=body).content

    def ask_directly(self, content):
        """Another client of the same engine, of whom the node hears nothing."""
        return json.loads(self.complete({"messages": [{"role": "user", "content": content}], "max_tokens": 2}))

    def restart(self):
        """A crash: an empty cache, and batches numbered from 0 again."""
        with self.lock:
            self.publisher.close()
            self.engine.kill()
            self.engine.wait()
            self._start_engine()
            self.held = []
            self.publisher = Publisher((self.events_port, self.replay_port))

    def close(self):
        self.server.shutdown()
        self.publisher.close()
        self.engine.kill()
        self.engine.wait()
