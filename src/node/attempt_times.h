// When one attempt of a request was asked, taken and answered, and how much of an answer came. Pure.
#pragma once

#include "node/experience.h"

namespace planetserve::node {

class AttemptTimes {
public:
    // The attempt begins with a question of so many bytes.
    void begin(std::size_t request_bytes, Time now) { *this = AttemptTimes{request_bytes, now}; }
    // A model node has the request. The first byte of its answer has to come by the first time, where another node can
    // be asked; by the second in any case.
    void taken(Time first_byte_due, Time longest_due) {
        first_byte_due_ = first_byte_due;
        longest_due_ = longest_due;
    }
    // There is no other node to ask.
    void extend() { first_byte_due_ = longest_due_; }
    void answered(Time now) {
        first_byte_due_ = Time::max();
        first_byte_ = now;
    }
    void received(std::size_t bytes) { bytes_ += bytes; }

    // Time::max() while nobody has the request, and once the answer began.
    Time first_byte_due() const { return first_byte_due_; }
    Time longest_due() const { return longest_due_; }

    // Requires: answered.
    Experience::Delivery delivery(Time now) const {
        Experience::Delivery delivery{first_byte_ - asked_, request_bytes_, std::nullopt};
        const double seconds = to_seconds(now - first_byte_);
        if (bytes_ >= least_bytes && seconds > 0) delivery.bytes_per_second = static_cast<double>(bytes_) / seconds;
        return delivery;
    }

    AttemptTimes() = default;

private:
    // Over fewer bytes a rate measures the way rather than the node.
    static constexpr std::size_t least_bytes = 4096;

    AttemptTimes(std::size_t request_bytes, Time now) : request_bytes_(request_bytes), asked_(now) {}

    std::size_t request_bytes_ = 0;
    Time asked_{};
    Time first_byte_{};
    Time first_byte_due_ = Time::max();
    Time longest_due_ = Time::max();
    std::size_t bytes_ = 0;
};

}  // namespace planetserve::node
