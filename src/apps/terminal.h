// What the commands print: progress that redraws itself on a terminal and is plain lines elsewhere; colours unless
// NO_COLOR is set.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace planetserve::apps {

bool stdout_is_terminal();

std::string bold(std::string_view text);
std::string dim(std::string_view text);
std::string green(std::string_view text);
std::string red(std::string_view text);

// "planetserve: MESSAGE" on standard error; returns 1, for `return error_exit(...)`.
int error_exit(std::string_view message);

// One step of something that takes a while: "  [ok] started 16 user nodes  1.2 s".
class Step {
public:
    explicit Step(std::string what);
    ~Step();
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

    void progress(std::string_view detail);
    void done(std::string_view detail = {});
    void failed(std::string_view why);

private:
    void finish(const std::string& mark, std::string_view detail);

    std::string what_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    bool open_ = true;
};

}  // namespace planetserve::apps
