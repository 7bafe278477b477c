#include "adapters/llama/reply_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/requires.h"

namespace planetserve::adapters {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

constexpr unsigned interim_limit = 8;
constexpr std::size_t smallest_last_chunk = 5;  // bytes
constexpr unsigned switching_protocols = 101;
constexpr unsigned first_final_status = 200;  // those below are interim

bool worth_passing_on(http::field name, string_view text) {
    return name == http::field::content_type || name == http::field::retry_after ||
           boost::beast::iequals(text, "x-request-id");
}

}  // namespace

class ReplyParser::Message final : public http::basic_parser<false> {
public:
    Message() {
        header_limit(reply_head_limit);
        body_limit(boost::none);  // the reader's window bounds what is held
        eager(true);
    }

    inference::ReplyHead head;
    Bytes body;

private:
    void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
    void on_response_impl(int status, string_view, int, error_code&) override {
        head.status = static_cast<unsigned>(status);
    }
    void on_field_impl(http::field name, string_view text, string_view value, error_code&) override {
        if (!worth_passing_on(name, text)) return;
        std::string lower(text);
        for (char& c : lower)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        head.headers.emplace_back(std::move(lower), std::string(value));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view text, error_code&) override {
        append(body, as_bytes({text.data(), text.size()}));
        return text.size();
    }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view text, error_code& error) override {
        return on_body_impl(text, error);
    }
    void on_finish_impl(error_code&) override {}
};

ReplyParser::ReplyParser() : message_(std::make_unique<Message>()) {}
ReplyParser::~ReplyParser() = default;
ReplyParser::ReplyParser(ReplyParser&&) noexcept = default;
ReplyParser& ReplyParser::operator=(ReplyParser&&) noexcept = default;

bool ReplyParser::head_complete() const {
    return message_->is_header_done() && message_->head.status >= first_final_status;
}
bool ReplyParser::complete() const { return head_complete() && message_->is_done(); }
const inference::ReplyHead& ReplyParser::head() const {
    REQUIRES(head_complete());
    return message_->head;
}
Bytes ReplyParser::take_body() { return std::exchange(message_->body, {}); }
bool ReplyParser::reusable() const { return complete() && message_->keep_alive() && pending_.empty(); }

Status ReplyParser::feed(ByteView bytes) {
    started_ = started_ || !bytes.empty();
    append(pending_, bytes);
    std::size_t used = 0;
    while (used < pending_.size() && !complete()) {
        // The shortest end of a chunked reply is "0\r\n\r\n", and more bytes follow the beginning of every other chunk.
        // Beast 1.81 asserts that there are five bytes when it looks at a last chunk again.
        if (head_complete() && message_->chunked() && pending_.size() - used < smallest_last_chunk) break;
        error_code error;
        std::size_t taken = message_->put(boost::asio::buffer(pending_.data() + used, pending_.size() - used), error);
        used += taken;
        if (error == http::error::need_more) break;
        if (error == http::error::header_limit)
            return fail(ErrorCode::malformed,
                        "the server's reply has a head of more than " + std::to_string(reply_head_limit) + " bytes");
        if (error) return fail(ErrorCode::malformed, "the server's reply is not HTTP/1.1: " + error.message());
        if (message_->is_header_done() && message_->head.status < first_final_status) {
            if (++interim_ > interim_limit || message_->head.status == switching_protocols)
                return fail(ErrorCode::malformed, "the server sends interim replies without end");
            message_ = std::make_unique<Message>();
        } else if (taken == 0) {
            break;
        }
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    if (pending_.size() > reply_head_limit)
        return fail(ErrorCode::malformed,
                    "the server's reply has a line of more than " + std::to_string(reply_head_limit) + " bytes");
    return {};
}

Status ReplyParser::closed() {
    if (complete()) return {};
    error_code error;
    if (message_->got_some()) message_->put_eof(error);
    if (error || !complete())
        return fail(ErrorCode::internal, head_complete() ? "the server closed the connection in the middle of its reply"
                                                         : "the server closed the connection without a reply");
    return {};
}

}  // namespace planetserve::adapters
