#include "inference/pattern_check.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace planetserve::inference {

namespace {

constexpr std::size_t most_counted = 1 << 20;  // a larger number counts as this

std::unexpected<Error> refused(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Behind the character that ends what began at `at`; the end of the text where nothing does. A backslash escapes.
std::size_t behind(std::string_view text, std::size_t at, char end) {
    while (at < text.size() && text[at] != end) at += text[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text.size());
}

// How long the escape at `at` is where the engine's grammars know it, else 0.
std::size_t known_escape(std::string_view text, std::size_t at) {
    constexpr std::string_view plain = "trn\\\"[]-";
    const char kind = at + 1 < text.size() ? text[at + 1] : '\0';
    if (kind != '\0' && plain.find(kind) != plain.npos) return 2;
    const std::size_t digits = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    std::string_view hex = text.substr(std::min(at + 2, text.size()), digits);
    return digits != 0 && hex.size() == digits && std::ranges::all_of(hex, is_hex) ? 2 + digits : 0;
}

std::size_t capped(std::size_t count) { return std::min(count, most_counted); }

// What a part of a pattern costs, with its repetitions written out.
void add(PatternCosts& sum, const PatternCosts& part) {
    sum.choices = capped(sum.choices + part.choices);
    sum.repeated = capped(sum.repeated + part.repeated);
    sum.varying = capped(sum.varying + part.varying);
    sum.repeated_varying = capped(sum.repeated_varying + part.repeated_varying);
}

// Inner repetitions stand there as often as outer ones say: {0,10} of {0,10} has a hundred places.
void repeat(PatternCosts& part, std::size_t times, bool varying) {
    const std::size_t copies = std::max<std::size_t>(times, 1);
    part.choices = capped((part.choices * copies) + (varying ? 1 : 0));
    part.repeated = capped((part.repeated * copies) + times);
    part.varying = capped((part.varying * copies) + (varying ? 1 : 0));
    part.repeated_varying = capped((part.repeated_varying * copies) + (varying ? times : 0));
}

// One pass over a pattern, by the rules of llama.cpp's json-schema-to-grammar.
class PatternReader {
public:
    explicit PatternReader(std::string_view text) : text_(text) {}

    Result<PatternCosts> read() {
        while (at_ < text_.size())
            if (Status read = step(text_[at_]); !read) return std::unexpected(read.error());
        if (!around_.empty()) return refused("a bracket is not closed");
        add(here_, last_);
        here_.depth = deepest_;
        return here_;
    }

private:
    Status step(char c) {
        switch (c) {
            case '(':
                return group();
            case ')':
                return end_group();
            case '|':
                begin_part();
                here_.choices = capped(here_.choices + 1);
                return pass(false);
            case '*':
            case '+':
            case '?':
                if (!repeatable_) return refused("there is nothing to repeat before \"" + std::string(1, c) + "\"");
                last_.choices = capped(last_.choices + 1);
                return pass(true);
            case '^':
            case '$':
                return refused("\"^\" and \"$\" may stand at its ends only");
            case ']':
            case '}':
                return refused("write \"\\" + std::string(1, c) + "\" for that character");
            case '[':
                return characters();
            case '{':
                return times();
            case '\\':
                return escape();
            default:
                begin_part();
                return pass(true);
        }
    }

    void begin_part() { add(here_, std::exchange(last_, {})); }

    Status pass(bool repeatable) {
        ++at_;
        repeatable_ = repeatable;
        return {};
    }

    Status group() {
        ++at_;
        if (text_.substr(at_).starts_with("?:"))
            at_ += 2;
        else if (text_.substr(at_).starts_with('?'))
            return refused("of groups that begin with \"(?\" only \"(?:\" is known");
        begin_part();
        around_.push_back(std::exchange(here_, {}));
        deepest_ = std::max(deepest_, around_.size());
        repeatable_ = false;
        return {};
    }

    Status end_group() {
        if (around_.empty()) return refused("a bracket is closed that was not opened");
        begin_part();
        last_ = std::exchange(here_, around_.back());
        around_.pop_back();
        return pass(true);
    }

    Status characters() {
        const std::size_t end = behind(text_, at_ + 1, ']');
        if (text_[end - 1] != ']' || end < at_ + 2) return refused("a set of characters is not closed");
        for (std::size_t at = at_ + 1; at + 1 < end; ++at) {
            if (text_[at] != '\\') continue;
            const std::size_t length = known_escape(text_, at);
            if (length == 0) return unknown_escape(at);
            at += length - 1;
        }
        begin_part();
        at_ = end;
        repeatable_ = true;
        return {};
    }

    Status times() {
        const std::size_t end = text_.find('}', at_);
        if (end == text_.npos || end == at_ + 1 || !repeatable_)
            return refused("\"{\" begins no number of repetitions");
        std::string_view range = text_.substr(at_ + 1, end - at_ - 1);
        if (range.find_first_not_of("0123456789,") != range.npos || std::ranges::count(range, ',') > 1 || range == ",")
            return refused("\"{" + std::string(range.substr(0, 32)) + "}\" is no number of repetitions");
        count_times(range);
        at_ = end + 1;
        return {};
    }

    // "3" is written out; "2," and "2,5" may end early besides.
    void count_times(std::string_view range) {
        const std::size_t comma = std::min(range.find(','), range.size());
        const bool varying = comma != range.size();
        std::string_view last = range.substr(varying ? comma + 1 : 0);
        if (last.empty()) last = range.substr(0, comma);
        std::size_t times = 0;
        const auto read = std::from_chars(last.data(), last.data() + last.size(), times);
        repeat(last_, read.ec == std::errc::result_out_of_range ? most_counted : capped(times), varying);
    }

    Status escape() {
        constexpr std::string_view special = "^$.[]()|{}*+?";
        const bool known = at_ + 1 < text_.size() && special.find(text_[at_ + 1]) != special.npos;
        const std::size_t length = known ? 2 : known_escape(text_, at_);
        if (length == 0) return unknown_escape(at_);
        begin_part();
        at_ += length;
        repeatable_ = true;
        return {};
    }

    std::unexpected<Error> unknown_escape(std::size_t at) const {
        return refused("\"" + std::string(text_.substr(at, 2)) +
                       "\" is not known; write the characters that it means, as in [0-9] for \\d");
    }

    std::string_view text_;
    std::vector<PatternCosts> around_{};  // of the groups that are open, before each
    PatternCosts here_{};                 // of the innermost group so far, but for its last part
    PatternCosts last_{};                 // which a repetition may follow
    std::size_t deepest_ = 0;
    std::size_t at_ = 0;
    bool repeatable_ = false;
};

Status judge(const PatternCosts& costs, const PatternLimits& limits) {
    const auto over = [](std::string_view what, std::size_t has, std::size_t most) {
        return refused("it has " + std::to_string(has) + " " + std::string(what) + "; this node takes " +
                       std::to_string(most));
    };
    if (costs.depth > limits.depth) return over("brackets in one another", costs.depth, limits.depth);
    if (costs.choices > limits.choices)
        return over("alternatives and varying repetitions", costs.choices, limits.choices);
    if (costs.repeated > limits.repeated) return over("counted repetitions", costs.repeated, limits.repeated);
    if (costs.varying > 1 && costs.repeated_varying > limits.repeated_together)
        return over("counted repetitions that vary", costs.repeated_varying, limits.repeated_together);
    return {};
}

}  // namespace

Result<PatternCosts> check_pattern(std::string_view pattern, const PatternLimits& limits) {
    if (pattern.size() > limits.bytes)
        return refused("it has " + std::to_string(pattern.size()) + " bytes; this node takes " +
                       std::to_string(limits.bytes));
    if (pattern.size() < 2 || pattern.front() != '^' || pattern.back() != '$')
        return refused("it must begin with \"^\" and end with \"$\"");
    auto costs = PatternReader(pattern.substr(1, pattern.size() - 2)).read();
    if (!costs) return std::unexpected(costs.error());
    if (Status judged = judge(*costs, limits); !judged) return std::unexpected(judged.error());
    return costs;
}

}  // namespace planetserve::inference
