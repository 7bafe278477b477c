#include "adapters/api/model_request.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <utility>

namespace planetserve::adapters {

namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr std::size_t maximum_model = 256;  // bytes of its name
constexpr std::size_t maximum_depth = 128;
constexpr std::size_t piece_size = 4096;
// For Boost.JSON: the text goes on after this piece.
constexpr bool more_follows = true;

// The members of the top level that are read.
enum class Kind { missing, null, boolean, text, array, other };

// Called by Boost.JSON as it reads (its manual, "basic_parser").
struct TopLevel {
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = max_object_size;
    static constexpr std::size_t max_key_size = max_object_size;
    static constexpr std::size_t max_string_size = max_object_size;

    bool is_object = false;
    std::string model;
    Kind model_kind = Kind::missing;
    bool several = false;
    bool stream = false;
    Kind stream_kind = Kind::missing;
    std::size_t messages = 0;
    Kind messages_kind = Kind::missing;

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        if (depth_ == 0) is_object = true;
        begin_value(Kind::other);
        ++depth_;
        return true;
    }
    bool on_object_end(std::size_t, error_code&) {
        --depth_;
        return true;
    }
    bool on_array_begin(error_code&) {
        begin_value(Kind::array);
        ++depth_;
        return true;
    }
    bool on_array_end(std::size_t size, error_code&) {
        --depth_;
        if (at_member() && key_ == "messages") messages = size;
        return true;
    }
    bool on_key_part(json::string_view part, std::size_t, error_code&) {
        collect_key(part);
        return true;
    }
    bool on_key(json::string_view part, std::size_t, error_code&) {
        collect_key(part);
        key_complete_ = true;
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t size, error_code&) {
        collect_text(part, size);
        return true;
    }
    bool on_string(json::string_view part, std::size_t size, error_code&) {
        collect_text(part, size);
        begin_value(Kind::text);
        return true;
    }
    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t value, json::string_view, error_code&) {
        if (at_member() && key_ == "n") several = value > 1;
        return begin_value(Kind::other);
    }
    bool on_uint64(std::uint64_t, json::string_view, error_code&) { return begin_value(Kind::other); }
    bool on_double(double, json::string_view, error_code&) { return begin_value(Kind::other); }
    bool on_bool(bool value, error_code&) {
        if (at_member() && key_ == "stream") stream = value;
        return begin_value(Kind::boolean);
    }
    bool on_null(error_code&) { return begin_value(Kind::null); }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

private:
    // Long enough for the names that are looked for, and to tell that a longer one is none of them.
    static constexpr std::size_t maximum_key = 16;

    bool at_member() const { return depth_ == 1 && is_object; }

    void collect_key(json::string_view part) {
        if (!at_member()) return;
        if (std::exchange(key_complete_, false)) key_.clear();
        key_.append(part.data(), std::min(part.size(), maximum_key - std::min(maximum_key, key_.size())));
    }

    // `size` counts the part, so the first part is as long as it.
    void collect_text(json::string_view part, std::size_t size) {
        if (!at_member() || key_ != "model") return;
        if (size == part.size()) model.clear();
        if (model.size() <= maximum_model) model.append(part.data(), part.size());
    }

    bool begin_value(Kind kind) {
        if (!at_member()) return true;
        if (key_ == "model") model_kind = kind;
        if (key_ == "stream") stream_kind = kind;
        if (key_ == "messages") messages_kind = kind;
        return true;
    }

    std::size_t depth_ = 0;
    std::string key_;
    bool key_complete_ = false;
};

using Parser = json::basic_parser<TopLevel>;

json::parse_options options() {
    json::parse_options chosen;
    chosen.max_depth = maximum_depth;
    return chosen;
}

// The parser tells that a piece is wrong, and not where: so once more, with that piece byte by byte.
std::size_t error_position(std::string_view body, std::size_t piece) {
    Parser parser(options());
    error_code error;
    const std::string_view right = body.substr(0, piece);
    if (!right.empty()) parser.write_some(more_follows, right.data(), right.size(), error);
    while (!error && piece < body.size()) {
        parser.write_some(more_follows, body.data() + piece, 1, error);
        if (!error) ++piece;
    }
    return piece;
}

std::unexpected<ApiError> refused(std::string message, std::string param = "", std::string code = "") {
    return std::unexpected(
        ApiError{400, std::move(message), "invalid_request_error", std::move(param), std::move(code)});
}

}  // namespace

std::expected<ModelRequest, ApiError> parse_model_request(std::string_view path, std::string_view body) {
    Parser parser(options());
    error_code error;
    std::size_t read = 0;
    while (!error && !parser.done() && read < body.size()) {
        std::string_view piece = body.substr(read, piece_size);
        std::size_t taken = parser.write_some(more_follows, piece.data(), piece.size(), error);
        if (error)
            read = error_position(body, read);
        else
            read += taken;
    }
    if (!error && !parser.done()) parser.write_some(!more_follows, "", 0, error);
    if (error) return refused("the body is not JSON: " + error.message() + " at byte " + std::to_string(read));
    // What follows the value may be white space only.
    std::size_t rest = body.find_first_not_of(" \t\r\n", read);
    if (rest != std::string_view::npos)
        return refused("the body goes on after its JSON value, at byte " + std::to_string(rest));

    TopLevel& found = parser.handler();
    if (!found.is_object) return refused("the body must be a JSON object");
    if (found.model_kind != Kind::text || found.model.empty())
        return refused("'model' must name a model; GET /v1/models lists them", "model", "missing_model");
    if (found.model.size() > maximum_model)
        return refused("'model' is over " + std::to_string(maximum_model) + " bytes long", "model");
    bool may_stream =
        found.stream_kind == Kind::boolean || found.stream_kind == Kind::null || found.stream_kind == Kind::missing;
    if (!may_stream) return refused("'stream' must be true or false", "stream");
    if ((path == "/v1/chat/completions" || path.starts_with("/v1/messages")) &&
        (found.messages_kind != Kind::array || found.messages == 0))
        return refused("'messages' must be a list of at least one message", "messages", "missing_required_parameter");
    return ModelRequest{std::move(found.model), found.stream_kind == Kind::boolean && found.stream, found.several};
}

}  // namespace planetserve::adapters
