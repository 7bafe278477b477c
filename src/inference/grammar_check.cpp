#include "inference/grammar_check.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace planetserve::inference {

namespace {

std::unexpected<Error> refused(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

// What a text costs, counted as it is read.
class Costs {
public:
    explicit Costs(const GrammarLimits& limits) : limits_(limits) {}

    void open() { deepest_ = std::max(deepest_, ++depth_); }
    void close() { depth_ -= depth_ > 0 ? 1 : 0; }
    void rule() { ++rules_; }
    void alternative() { ++alternatives_; }
    void repetition() { ++repetitions_; }
    // The text between { and }: "3", "2," or "2,5".
    void counted_repetition(std::string_view range) {
        ++repetitions_;
        for (std::size_t begin = 0; begin < range.size();) {
            std::size_t end = std::min(range.find(',', begin), range.size());
            std::string_view digits = range.substr(begin, end - begin);
            std::size_t times = 0;
            auto read = std::from_chars(digits.data(), digits.data() + digits.size(), times);
            repeated_ += read.ec == std::errc::result_out_of_range ? limits_.repeated + 1
                                                                   : std::min(times, limits_.repeated + 1);
            begin = end + 1;
        }
    }

    Status judge() const {
        const auto over = [](std::string_view what, std::size_t has, std::size_t most) {
            return refused("it has " + std::to_string(has) + " " + std::string(what) + "; this node takes " +
                           std::to_string(most));
        };
        if (deepest_ > limits_.depth) return over("brackets in one another", deepest_, limits_.depth);
        if (rules_ > limits_.rules) return over("rules", rules_, limits_.rules);
        if (alternatives_ > limits_.alternatives) return over("alternatives", alternatives_, limits_.alternatives);
        if (repetitions_ > limits_.repetitions) return over("repetitions", repetitions_, limits_.repetitions);
        if (repeated_ > limits_.repeated) return over("counted repetitions in all", repeated_, limits_.repeated);
        return {};
    }

private:
    const GrammarLimits& limits_;
    std::size_t depth_ = 0;
    std::size_t deepest_ = 0;
    std::size_t rules_ = 0;
    std::size_t alternatives_ = 0;
    std::size_t repetitions_ = 0;
    std::size_t repeated_ = 0;
};

Status check_size(std::string_view text, const GrammarLimits& limits) {
    if (text.size() <= limits.bytes) return {};
    return refused("it has " + std::to_string(text.size()) + " bytes; this node takes " + std::to_string(limits.bytes));
}

// Behind the character that ends what began at `at`; the end of the text where nothing does. A backslash escapes.
std::size_t behind(std::string_view text, std::size_t at, char end) {
    while (at < text.size() && text[at] != end) at += text[at] == '\\' ? 2 : 1;
    return std::min(at + 1, text.size());
}

}  // namespace

Status check_grammar(std::string_view grammar, const GrammarLimits& limits) {
    if (Status size = check_size(grammar, limits); !size) return size;
    Costs costs(limits);
    for (std::size_t at = 0; at < grammar.size();) {
        const char c = grammar[at++];
        if (c == '"') {
            at = behind(grammar, at, '"');
        } else if (c == '[') {
            at = behind(grammar, at, ']');
        } else if (c == '#') {
            at = std::min(grammar.find('\n', at), grammar.size());
        } else if (c == '{') {
            const std::size_t end = std::min(grammar.find('}', at), grammar.size());
            costs.counted_repetition(grammar.substr(at, end - at));
            at = end;
        } else if (c == '(') {
            costs.open();
        } else if (c == ')') {
            costs.close();
        } else if (c == '|') {
            costs.alternative();
        } else if (c == '*' || c == '+' || c == '?') {
            costs.repetition();
        } else if (c == ':' && grammar.substr(at).starts_with(":=")) {
            costs.rule();
        }
    }
    return costs.judge();
}

}  // namespace planetserve::inference
