#include "simulator/trace.h"

#include <cstring>
#include <iomanip>
#include <ostream>

#include "simulator/event_queue.h"

namespace planetserve::simulator {

namespace {

std::string_view name(wire::FrameType type) {
    using enum wire::FrameType;
    switch (type) {
        case hello:
            return "hello";
        case ping:
            return "ping";
        case pong:
            return "pong";
        case goodbye:
            return "goodbye";
        case path_setup:
            return "path_setup";
        case path_cell:
            return "path_cell";
        case path_destroy:
            return "path_destroy";
        case clove_forward:
            return "clove_forward";
        case clove_reply:
            return "clove_reply";
        case reply_closed:
            return "reply_closed";
        case forward_request:
            return "forward_request";
        case forward_answer:
            return "forward_answer";
        case forward_control:
            return "forward_control";
        case group_sync:
            return "group_sync";
        case call_request:
            return "call_request";
        case call_response:
            return "call_response";
        default:
            return "other";
    }
}

}  // namespace

Trace::Trace(std::ostream& lines) : lines_(&lines) { lines << "time_us,event,node,peer,frame,bytes,hash\n"; }

void Trace::add(std::uint64_t word) {
    hash_ = (hash_ ^ word) * 0xD6E8FEB86659FD93ULL;
    hash_ ^= hash_ >> 32;
}

void Trace::add(ByteView bytes) {
    add(bytes.size());
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data(), 8);
        add(word);
    }
    std::uint64_t rest = 0;
    if (!bytes.empty()) std::memcpy(&rest, bytes.data(), bytes.size());
    add(rest);
}

void Trace::begin(Time now, std::uint64_t kind) {
    ++events_;
    add(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    add(kind);
}

void Trace::delivered(Time now, const NodeId& from, const NodeId& to, wire::FrameType type, ByteView payload) {
    begin(now, static_cast<std::uint64_t>(type));
    add(from.bytes());
    add(to.bytes());
    add(payload);
    if (lines_ != nullptr) write(now, "delivered", &to, &from, name(type), payload.size());
}

void Trace::link_down(Time now, const NodeId& told, const NodeId& lost) {
    begin(now, 1000);
    add(told.bytes());
    add(lost.bytes());
    if (lines_ != nullptr) write(now, "link_down", &told, &lost, {}, 0);
}

void Trace::fault(Time now, std::string_view what) {
    begin(now, 1001);
    add(as_bytes(what));
    if (lines_ != nullptr) write(now, '"' + std::string(what) + '"', nullptr, nullptr, {}, 0);
}

void Trace::write(Time now, std::string_view event, const NodeId* node, const NodeId* peer, std::string_view frame,
                  std::size_t bytes) {
    *lines_ << (now - EventQueue::beginning).count() << ',' << event << ',' << (node != nullptr ? node->brief() : "")
            << ',' << (peer != nullptr ? peer->brief() : "") << ',' << frame << ',';
    if (!frame.empty()) *lines_ << bytes;
    *lines_ << ',' << std::hex << std::setw(16) << std::setfill('0') << hash_ << std::dec << '\n';
}

}  // namespace planetserve::simulator
