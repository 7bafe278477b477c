"""A model node run by hand on another OpenAI-compatible server, here one that calls tools as a large model would."""

import http.server
import json
import threading

import openai
import pytest

from network import free_port, wait_for

CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer({"object": "list", "data": [{"id": "large", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Upstream.seen.append((dict(self.headers), body))
        if self.path.endswith("/embeddings"):
            return self.answer({"object": "list", "model": body["model"], "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.25]}],
                                "usage": {"prompt_tokens": 1, "total_tokens": 1}})
        if not body.get("stream"):
            return self.answer({"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [
                {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}]})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        deltas = [{"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in ['{"city"', ': "Par', 'is"}']]
        for number, delta in enumerate(deltas + [{}]):
            chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
                     "choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls" if number == len(deltas) else None}]}
            self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def answer(self, value):
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture(scope="module")
def client(network):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    node = network.start_model(f"[{{name: large, upstream: 'http://127.0.0.1:{server.server_port}/v1', upstream_key: sesame}}]")
    wait_for(lambda: "large" in network.status()["models"], "the model to be listed")
    yield openai.OpenAI(base_url=network.api + "/v1", api_key="mine", timeout=60)
    node.stop()
    server.shutdown()
    wait_for(lambda: "large" not in network.status()["models"], "the model to be gone")


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
QUESTION = dict(model="large", messages=[{"role": "user", "content": "Weather in Paris?"}], tools=TOOLS, tool_choice="auto")


def test_a_tool_call(client):
    call = client.chat.completions.create(**QUESTION).choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    headers, body = Upstream.seen[-1]
    assert body["tools"] == TOOLS and body["tool_choice"] == "auto"
    assert headers.get("Authorization") == "Bearer sesame" and "mine" not in str(headers), "the user's key stays with the user"


def test_a_streamed_tool_call(client):
    arguments, finish = "", None
    for chunk in client.chat.completions.create(**QUESTION, stream=True):
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments += call.function.arguments or ""
        finish = chunk.choices[0].finish_reason
    assert (json.loads(arguments), finish) == ({"city": "Paris"}, "tool_calls")


def test_embeddings(client):
    reply = client.embeddings.create(model="large", input="hello", encoding_format="float")
    assert reply.data[0].embedding == [0.5, -1.25]
