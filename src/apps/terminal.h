// What the commands print: progress that redraws itself on a terminal and is plain lines elsewhere; colours unless
// NO_COLOR is set.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "local/steps.h"

namespace planetserve::apps {

bool stdout_is_terminal();

std::string bold(std::string_view text);
std::string dim(std::string_view text);
std::string green(std::string_view text);
std::string red(std::string_view text);

// "planetserve: MESSAGE" on standard error; returns 1, for `return error_exit(...)`.
int error_exit(std::string_view message);

// Prints steps with the time they took: "  [ok] 16 user nodes  1.2 s".
class PrintedSteps final : public local::Steps {
public:
    ~PrintedSteps() override;

    void begin(const std::string& what) override;
    void progress(const std::string& detail) override;
    void end(Outcome outcome, const std::string& detail) override;

private:
    void finish(const std::string& mark, std::string_view detail);

    std::string what_;  // of the step under way; empty between two steps
    std::chrono::steady_clock::time_point start_;
};

}  // namespace planetserve::apps
