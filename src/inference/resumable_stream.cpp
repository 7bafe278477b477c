#include "inference/resumable_stream.h"

#include <algorithm>
#include <array>

#include "inference/bounded_json.h"
#include "inference/continuation.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::size_t event_memory_limit = 16 << 20;
constexpr std::size_t body_memory_limit = 64 << 20;
constexpr std::string_view last_event = "[DONE]";

struct Piece {
    std::string_view text;
    bool finishes = false;
    bool only_text = true;  // nothing that cannot be resumed
    bool opens = false;     // gives the role, and nothing else
};

Piece read_piece(const json::value& event) {
    Piece piece;
    const auto* choices = list_of(find(&event, "choices"));
    if (choices == nullptr || choices->empty()) return piece;
    const json::value& choice = choices->front();
    piece.only_text = choices->size() == 1 && count_of(find(&choice, "index")).value_or(0) == 0;
    const auto* delta = find(&choice, "delta");
    piece.text = text_of(delta != nullptr ? find(delta, "content") : find(&choice, "text")).value_or("");
    piece.finishes = text_of(find(&choice, "finish_reason")).has_value();
    for (const char* other : {"tool_calls", "function_call", "reasoning_content", "reasoning", "refusal", "audio"})
        if (is_given(find(delta, other))) piece.only_text = false;
    piece.opens = is_given(find(delta, "role")) && piece.text.empty() && !piece.finishes && piece.only_text;
    return piece;
}

void set_text(json::value& event, std::string_view text) {
    json::object& choice = event.get_object()["choices"].get_array().front().get_object();
    if (auto* delta = choice.if_contains("delta"))
        delta->get_object()["content"] = text;
    else
        choice["text"] = text;
}

// The engine counted the first part of the answer as part of the prompt.
void move_to_answer(json::value& event, std::size_t pieces) {
    auto* usage = event.get_object().if_contains("usage");
    if (usage == nullptr || !usage->is_object()) return;
    auto prompt = count_of(find(usage, "prompt_tokens"));
    auto answer = count_of(find(usage, "completion_tokens"));
    if (!prompt || !answer) return;
    std::uint64_t moved = std::min<std::uint64_t>(pieces, *prompt);
    usage->get_object()["prompt_tokens"] = *prompt - moved;
    usage->get_object()["completion_tokens"] = *answer + moved;
    // The engine had the first part in its cache, too, and no more of a prompt can be cached than there is.
    auto* details = usage->get_object().if_contains("prompt_tokens_details");
    auto cached = count_of(find(details, "cached_tokens"));
    if (cached && *cached > *prompt - moved) details->get_object()["cached_tokens"] = *prompt - moved;
}

std::size_t without_trailing_space(std::string_view text) { return text.find_last_not_of(" \t\r\n") + 1; }

}  // namespace

bool ResumableStream::on_head(const ReplyHead& head) {
    bool streams = head.status == 200 && is_event_stream(head);
    if (mode_ != Mode::unread) return streams;
    auto api = api_of(path_);
    if (streams && (api == Api::chat || api == Api::completions) && body_.size() <= body_limit)
        mode_ = Mode::first;
    else
        give_up();
    return true;
}

void ResumableStream::give_up() {
    mode_ = Mode::raw;
    body_ = {};
    said_ = {};
}

Bytes ResumableStream::take(ByteView bytes) {
    Bytes out;
    if (deviated_) return out;
    if (mode_ == Mode::matching || mode_ == Mode::rest) {
        // An event over the limit ends the reading. The rest is lost, and the stream has no end then.
        (void)events_.feed(as_text(bytes), [&](std::string_view data) { return read_later(data, out); });
        return out;
    }
    append(held_, bytes);
    if (mode_ == Mode::first) {
        std::size_t before = held_.size() - bytes.size();
        std::size_t end = end_of_events(as_text(held_), before);
        out.assign(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(end));
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(end));
        bool read = true;
        auto fed = events_.feed(as_text(out), [&](std::string_view data) { return read = read_first(data); });
        if (!fed || !read || held_.size() > EventStream::limit) give_up();
    }
    if (mode_ == Mode::raw) append(out, std::exchange(held_, {}));
    return out;
}

bool ResumableStream::read_first(std::string_view data) {
    if (data == last_event) return done_ = true;
    auto event = parse_json(data, event_memory_limit);
    if (!event || !event->is_object() || is_given(find(&*event, "error"))) return false;
    Piece piece = read_piece(*event);
    if (!piece.only_text || piece.text.size() > text_limit - said_.size()) return false;
    if (id_.empty()) adopt(*event);
    note(piece.text);
    finished_ = finished_ || piece.finishes;
    return true;
}

bool ResumableStream::read_later(std::string_view data, Bytes& out) {
    if (data == last_event) {
        release(out);
        if (deviated_) return false;
        write_event(last_event, out);
        return done_ = true;
    }
    auto event = parse_json(data, event_memory_limit);
    if (!event || !event->is_object()) {
        write_event(data, out);
        return true;
    }
    // The node signed the rest, which is not the answer to the reader's request.
    event->get_object().erase("planetserve");
    Piece piece = read_piece(*event);
    if (piece.opens && !id_.empty()) return true;
    if (id_.empty()) adopt(*event);
    std::string fresh(piece.text);
    if (mode_ == Mode::matching && !fresh.empty()) fresh = match(piece.text);
    if (piece.finishes || !piece.only_text) release(out);
    if (deviated_) return false;
    if (fresh.empty() && !piece.text.empty() && !piece.finishes) return true;
    if (!piece.text.empty()) set_text(*event, fresh);
    note(fresh);
    finished_ = finished_ || piece.finishes;
    emit(*event, out);
    return true;
}

// The new part of a piece.
std::string ResumableStream::match(std::string_view piece) {
    std::string_view known = std::string_view(said_).substr(matched_);
    auto common = static_cast<std::size_t>(std::ranges::mismatch(piece, known).in1 - piece.begin());
    if (common == known.size() || common == piece.size()) {
        matched_ += common;
        if (matched_ == said_.size()) mode_ = Mode::rest;
        return std::string(piece.substr(common));
    }
    deviated_ = replaying_;
    mode_ = Mode::rest;
    if (std::size_t trimmed = without_trailing_space(said_); trimmed > 0 && matched_ + common >= trimmed) {
        // The engine repeated the beginning without the space at its end.
        std::string_view fresh = piece.substr(common);
        fresh.remove_prefix(std::min(fresh.find_first_not_of(" \t\r\n"), fresh.size()));
        return std::string(fresh);
    }
    // It does not give the beginning again: what matched is new.
    return said_.substr(0, matched_) + std::string(piece);
}

// The later reply has no more text. Unless all of the known text came, what matched it was new.
void ResumableStream::release(Bytes& out) {
    if (mode_ != Mode::matching) return;
    if (replaying_) {
        deviated_ = true;
        return;
    }
    mode_ = Mode::rest;
    if (matched_ == 0 || matched_ >= without_trailing_space(said_)) return;
    std::string fresh = said_.substr(0, matched_);
    note(fresh);
    json::value event = text_event(fresh);
    emit(event, out);
}

void ResumableStream::note(std::string_view piece) {
    if (piece.empty()) return;
    ++pieces_;
    if (piece.size() > text_limit - said_.size())
        body_ = {};  // it can no longer be resumed
    else
        said_ += piece;
}

// All events of a stream have the same id and time.
void ResumableStream::adopt(const json::value& event) {
    id_ = text_of(find(&event, "id")).value_or("");
    model_ = text_of(find(&event, "model")).value_or("");
    created_ = count_of(find(&event, "created")).value_or(0);
}

void ResumableStream::emit(json::value& event, Bytes& out) {
    json::object& members = event.get_object();
    if (!id_.empty() && members.contains("id")) members["id"] = id_;
    if (created_ != 0 && members.contains("created")) members["created"] = created_;
    if (!replaying_) move_to_answer(event, pieces_before_);
    write_event(compact(event), out);
}

json::value ResumableStream::text_event(std::string_view text) const {
    bool chat = api_of(path_) == Api::chat;
    json::object choice{{"index", 0}, {"finish_reason", nullptr}};
    if (chat)
        choice["delta"] = text.empty() ? json::object() : json::object{{"content", text}};
    else
        choice["text"] = text;
    return json::object{{"choices", json::array{choice}},
                        {"created", created_},
                        {"id", id_},
                        {"model", model_},
                        {"object", chat ? "chat.completion.chunk" : "text_completion"}};
}

Bytes ResumableStream::end() {
    Bytes out;
    if (deviated_) return out;
    if (mode_ == Mode::closing) {
        if (!finished_) {
            json::value event = text_event("");
            event.get_object()["choices"].get_array().front().get_object()["finish_reason"] = "length";
            emit(event, out);
        }
        if (!done_) write_event(last_event, out);
        return out;
    }
    if (mode_ == Mode::matching) release(out);
    append(out, std::exchange(held_, {}));
    return out;
}

bool ResumableStream::draws_alike() const {
    auto body = parse_json(as_text(body_), body_memory_limit);
    return body && is_repeatable(*body);
}

Result<Bytes> ResumableStream::resume() {
    if (body_.empty()) return fail(ErrorCode::invalid_argument, "this answer cannot be resumed");
    replay_failed_ = replay_failed_ || deviated_;
    deviated_ = false;
    held_ = {};
    events_ = EventStream();
    matched_ = 0;
    pieces_before_ = pieces_;
    replaying_ = false;
    mode_ = Mode::closing;
    if (finished_ || done_) return Bytes();
    replaying_ = said_.empty() || (!replay_failed_ && draws_alike());
    Result<Bytes> body = replaying_ ? body_ : continuation(path_, body_, said_, pieces_);
    if (!body && body.error().code == ErrorCode::exhausted) return Bytes();
    mode_ = said_.empty() ? Mode::rest : Mode::matching;
    return body;
}

}  // namespace planetserve::inference
