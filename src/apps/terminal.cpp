#include "apps/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/words.h"

namespace planetserve::apps {

namespace {

bool coloured() {
    const char* no_color = std::getenv("NO_COLOR");
    return stdout_is_terminal() && (no_color == nullptr || *no_color == 0);
}

std::string wrap(const char* code, std::string_view text) {
    return coloured() ? "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m" : std::string(text);
}

}  // namespace

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
std::string bold(std::string_view text) { return wrap("1", text); }
std::string dim(std::string_view text) { return wrap("2", text); }
std::string green(std::string_view text) { return wrap("32", text); }
std::string red(std::string_view text) { return wrap("31", text); }

int error_exit(std::string_view message) {
    std::cerr << "planetserve: " << without_controls(message) << "\n";
    return 1;
}

PrintedSteps::~PrintedSteps() {
    if (!what_.empty()) finish("[--]", "");
}

void PrintedSteps::begin(const std::string& what) {
    what_ = what;
    start_ = std::chrono::steady_clock::now();
    if (stdout_is_terminal()) std::cout << "  [..] " << what_ << std::flush;
}

void PrintedSteps::progress(const std::string& detail) {
    if (stdout_is_terminal())
        std::cout << "\r\033[K  [..] " << what_ << "  " << dim(without_controls(detail)) << std::flush;
}

void PrintedSteps::end(Outcome outcome, const std::string& detail) {
    finish(outcome == Outcome::done ? green("[ok]") : red("[!!]"), detail);
}

void PrintedSteps::finish(const std::string& mark, std::string_view detail) {
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f s",
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
    if (stdout_is_terminal()) std::cout << "\r\033[K";
    std::cout << "  " << mark << " " << what_ << (detail.empty() ? "" : ": ") << without_controls(detail) << "  "
              << dim(seconds) << std::endl;
    what_.clear();
}

}  // namespace planetserve::apps
