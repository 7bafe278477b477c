#include "adapters/api/response_writer.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/requires.h"
#include "inference/event_stream.h"

namespace planetserve::adapters {

namespace {

// As much as shows whether an event has ended: "\r\n\r\n".
constexpr std::size_t tail_size = 4;

std::string hex(std::size_t number) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", number);
    return text;
}

}  // namespace

void ResponseWriter::put_head(const Head& head) {
    REQUIRES(stage_ == Stage::nothing);
    stage_ = Stage::head;
    framing_ = head.framing;
    is_event_stream_ = inference::is_event_stream(head.reply);
    out_ +=
        "HTTP/1.1 " + std::to_string(head.reply.status) + " " + std::string(reason_phrase(head.reply.status)) + "\r\n";
    for (const auto& [name, value] : head.reply.headers)
        if (name != "x-request-id") out_ += name + ": " + value + "\r\n";
    out_ += "x-request-id: " + head.request_id + "\r\n";
    if (is_event_stream_) out_ += "cache-control: no-cache\r\n";
    if (framing_ == Framing::length) out_ += "content-length: " + std::to_string(head.length) + "\r\n";
    if (framing_ == Framing::chunks) out_ += "transfer-encoding: chunked\r\n";
    bool kept = head.connection == ConnectionAfter::kept;
    out_ += kept ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
}

void ResponseWriter::put_body(std::string_view bytes) {
    REQUIRES(stage_ == Stage::head);
    if (bytes.empty()) return;
    if (framing_ == Framing::chunks) out_ += hex(bytes.size()) + "\r\n";
    out_ += bytes;
    if (framing_ == Framing::chunks) out_ += "\r\n";
    body_bytes_ += bytes.size();
    tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), tail_size));
    if (tail_.size() > tail_size) tail_.erase(0, tail_.size() - tail_size);
}

void ResponseWriter::put_last_events(std::string_view events) {
    put_body((at_event_end() ? "" : "\n\n") + std::string(events));
}

void ResponseWriter::finish() {
    REQUIRES(stage_ == Stage::head);
    if (framing_ == Framing::chunks) out_ += "0\r\n\r\n";
    stage_ = Stage::finished;
}

std::string ResponseWriter::take() { return std::exchange(out_, {}); }

}  // namespace planetserve::adapters
