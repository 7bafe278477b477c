// Who is told of the steps of something that takes a while. The verbs print them.
#pragma once

#include <cstdint>
#include <string>

namespace planetserve::local {

class Steps {
public:
    enum class Outcome : std::uint8_t { done, failed };

    virtual ~Steps() = default;
    // One step at a time: begin, any number of progress, end.
    virtual void begin(const std::string& what) = 0;
    virtual void progress(const std::string& detail) = 0;
    virtual void end(Outcome outcome, const std::string& detail) = 0;
};

}  // namespace planetserve::local
