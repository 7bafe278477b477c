#include "inference/event_stream.h"

#include <algorithm>
#include <utility>

namespace planetserve::inference {

void write_event(std::string_view data, Bytes& out) {
    append(out, as_bytes("data: "));
    append(out, as_bytes(data));
    append(out, as_bytes("\n\n"));
}

bool is_event_stream(const ReplyHead& head) {
    constexpr std::string_view wanted = "text/event-stream";
    for (const auto& [name, value] : head.headers)
        if (name == "content-type" && value.size() >= wanted.size())
            return std::equal(wanted.begin(), wanted.end(), value.begin(),
                              [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); });
    return false;
}

std::size_t end_of_events(std::string_view bytes, std::size_t from) {
    constexpr std::size_t longest_blank = 4;
    const std::size_t begin = from - std::min(from, longest_blank - 1);
    const std::string_view fresh = bytes.substr(begin);
    std::size_t end = 0;
    for (std::string_view blank : {"\n\n", "\r\n\r\n", "\r\r"}) {
        const std::size_t at = fresh.rfind(blank);
        if (at != fresh.npos && begin + at + blank.size() > from) end = std::max(end, begin + at + blank.size());
    }
    return end;
}

Status EventStream::feed(std::string_view bytes, const std::function<bool(std::string_view data)>& on_event) {
    while (!bytes.empty()) {
        // A line ends with "\n", "\r\n" or "\r".
        if (std::exchange(after_return_, false) && bytes.front() == '\n') {
            bytes.remove_prefix(1);
            continue;
        }
        std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
        if (line_.size() + end + data_.size() > most_) return fail(ErrorCode::exhausted, "an event is too large");
        line_ += bytes.substr(0, end);
        if (end == bytes.size()) return {};
        after_return_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);

        std::string line = std::exchange(line_, {});
        std::string_view field = line;
        if (line.empty()) {
            if (std::exchange(has_data_, false) && !on_event(std::exchange(data_, {}))) return {};
        } else if (field.starts_with("data:")) {
            field.remove_prefix(5);
            if (field.starts_with(' ')) field.remove_prefix(1);
            if (std::exchange(has_data_, true)) data_ += '\n';
            data_ += field;
        }
    }
    return {};
}

}  // namespace planetserve::inference
