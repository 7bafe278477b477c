#include "eval/kit/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

namespace planetserve::eval {

namespace {

bool terminal() {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool no_colour() {
    const char* value = std::getenv("NO_COLOR");
    return value != nullptr && *value != 0;
}

}  // namespace

Progress::Progress(std::string label, std::uint64_t total)
    : label_(std::move(label)), total_(total), terminal_(terminal()), colour_(terminal_ && !no_colour()) {}

Progress::~Progress() {
    if (terminal_) std::cerr << "\r\033[K";
    if (Clock::now() - start_ > std::chrono::seconds(1)) std::cerr << line("") << std::endl;
}

void Progress::set(std::uint64_t done, std::string_view detail) {
    done_ = done;
    auto now = Clock::now();
    if (now - drawn_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000))) return;
    drawn_ = now;
    if (!terminal_) {
        std::cerr << line(detail) << std::endl;
        return;
    }
    std::string bar;
    if (total_ > 0) {
        constexpr std::uint64_t width = 24;
        std::uint64_t full = std::min(width, done_ * width / total_);
        bar = " [" + std::string(full, '#') + std::string(width - full, '.') + "]";
    }
    std::cerr << "\r\033[K" << (colour_ ? "\033[2m" : "") << line(detail) << bar << (colour_ ? "\033[0m" : "")
              << std::flush;
}

std::string Progress::line(std::string_view detail) const {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start_).count();
    std::string text = label_ + ": " + std::to_string(done_);
    if (total_ > 0) text += " of " + std::to_string(total_);
    text += " in " + std::to_string(seconds) + " s";
    if (!detail.empty()) text += ", " + std::string(detail);
    return text;
}

}  // namespace planetserve::eval
