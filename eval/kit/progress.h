// How far something is, on standard error: a bar that is redrawn on a terminal, a line every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace planetserve::eval {

class Progress {
public:
    // `total` in units of the caller's choice; 0 when nobody knows.
    Progress(std::string label, std::uint64_t total);
    ~Progress();  // leaves a line "LABEL: 120 of 120 in 12 s" if it took longer than a second
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Cheap enough for every unit of work: draws at most ten times a second.
    void set(std::uint64_t done, std::string_view detail = {});
    void advance(std::uint64_t by = 1) { set(done_ + by); }

private:
    using Clock = std::chrono::steady_clock;

    std::string line(std::string_view detail) const;

    const std::string label_;
    const std::uint64_t total_;
    const bool terminal_;
    const bool colour_;
    const Clock::time_point start_ = Clock::now();
    Clock::time_point drawn_ = start_;
    std::uint64_t done_ = 0;
};

}  // namespace planetserve::eval
