// A streamed answer that is interrupted at one engine and resumed at another, without the client noticing
// (docs/protocols/requests.md, "A stream that breaks off").
//
// Sits between a reply and its reader. Passes whole events only, and remembers their text. When the reply breaks off,
// resume() gives the body of the next request: the same one where every engine gives the same answer (a seed, or greedy
// sampling), else one that asks for the rest. From the reply to that, the stream removes what the reader already has,
// and gives the rest the id and time of the first reply.
//
// Takes /v1/chat/completions and /v1/completions, one answer, plain text. Everything else passes unchanged and cannot
// be resumed. Pure; never throws, whatever the bytes.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <string>

#include "inference/event_stream.h"
#include "inference/prompt.h"
#include "inference/service.h"

namespace planetserve::inference {

class ResumableStream {
public:
    static constexpr std::size_t body_limit = 1 << 20;  // of a request that may be resumed
    static constexpr std::size_t text_limit = 1 << 20;  // of an answer that may be resumed

    // Keeps the request's body while it may be needed.
    ResumableStream(std::string path, Bytes body) : path_(std::move(path)), body_(std::move(body)) {}

    // The head of the first reply, and of each later one. False for a later head that is not a stream of events: then
    // nothing of that reply is for the reader.
    bool on_head(const ReplyHead& head);
    // Takes bytes of the reply; returns those for the reader.
    Bytes take(ByteView bytes);
    // The reply came to its end; returns the last bytes for the reader.
    Bytes end();
    // After take() or end(): the engine gives another answer than before. The reply is of no use; resume() gives
    // another request.
    bool deviated() const { return deviated_; }

    // The reply broke off, or deviated. The body of the next request; an error where the answer cannot be resumed; an
    // empty body where only the end is missing, which end() then gives.
    Result<Bytes> resume();

private:
    enum class Mode { unread, raw, first, matching, rest, closing };

    void give_up();
    bool read_first(std::string_view data);
    bool read_later(std::string_view data, Bytes& out);
    std::string match(std::string_view piece);
    void release(Bytes& out);
    void adopt(const boost::json::value& event);
    void emit(boost::json::value& event, Bytes& out);
    void note(std::string_view piece);
    bool draws_alike() const;
    boost::json::value text_event(std::string_view text) const;

    std::string path_;
    Bytes body_;
    Mode mode_ = Mode::unread;
    EventStream events_;
    Bytes held_;  // of the first reply, an event that is not whole

    // The reader has:
    std::string said_;
    std::size_t pieces_ = 0;  // events with text
    std::string id_;          // of the first event
    std::string model_;
    std::uint64_t created_ = 0;
    bool finished_ = false;  // the finish reason
    bool done_ = false;      // the stream's last event

    // Of a later reply.
    bool replaying_ = false;  // the next reply is the same answer again, else its rest
    bool replay_failed_ = false;
    bool deviated_ = false;
    std::size_t matched_ = 0;        // bytes of said_ that came again
    std::size_t pieces_before_ = 0;  // of the replies before it
};

}  // namespace planetserve::inference
