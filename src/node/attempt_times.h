// When one attempt of a request was asked, taken and answered, and how much of an answer came. Pure.
#pragma once

#include "node/experience.h"

namespace planetserve::node {

class AttemptTimes {
public:
    // An answer in one piece begins when it is complete, so its first byte says nothing.
    enum class Answered { whole, as_stream };

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
    // More of the answer has to come by a time, from each piece on.
    void answered(Answered how, Time now, Time next_bytes_due) {
        first_byte_due_ = Time::max();
        first_byte_ = now;
        how_ = how;
        next_bytes_due_ = next_bytes_due;
    }
    void received(std::size_t bytes, Time next_bytes_due) {
        bytes_ += bytes;
        next_bytes_due_ = next_bytes_due;
    }
    // No more can come: the reader has not taken what came.
    void held_back(Time next_bytes_due) { next_bytes_due_ = next_bytes_due; }

    // Time::max() while nobody has the request, and once the answer began.
    Time first_byte_due() const { return first_byte_due_; }
    Time longest_due() const { return longest_due_; }
    // Time::max() before the answer began.
    Time next_bytes_due() const { return next_bytes_due_; }

    // Requires: answered.
    Experience::Delivery delivery(Time now) const {
        Experience::Delivery delivery{std::nullopt, request_bytes_, std::nullopt};
        if (how_ == Answered::whole) return delivery;
        delivery.first_byte = first_byte_ - asked_;
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
    Time next_bytes_due_ = Time::max();
    Answered how_ = Answered::whole;
    std::size_t bytes_ = 0;
};

}  // namespace planetserve::node
