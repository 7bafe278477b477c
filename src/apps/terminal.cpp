#include "apps/terminal.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

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
    std::cerr << "planetserve: " << message << "\n";
    return 1;
}

Step::Step(std::string what) : what_(std::move(what)) {
    if (stdout_is_terminal()) std::cout << "  [..] " << what_ << std::flush;
}

Step::~Step() {
    if (open_) finish("[--]", "");
}

void Step::progress(std::string_view detail) {
    if (stdout_is_terminal()) std::cout << "\r\033[K  [..] " << what_ << "  " << dim(detail) << std::flush;
}

void Step::done(std::string_view detail) { finish(green("[ok]"), detail); }
void Step::failed(std::string_view why) { finish(red("[!!]"), why); }

void Step::finish(const std::string& mark, std::string_view detail) {
    open_ = false;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f s",
                  std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
    if (stdout_is_terminal()) std::cout << "\r\033[K";
    std::cout << "  " << mark << " " << what_ << (detail.empty() ? "" : ": ") << detail << "  " << dim(seconds)
              << std::endl;
}

}  // namespace planetserve::apps
