// Errors as values.
//
// Protocol code returns Result<T>: a T, or an Error that tells a person what is wrong and what to do.
// Exceptions are for faults at start-up only; REQUIRES (base/requires.h) is for faults of ours.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace planetserve {

enum class ErrorCode : std::uint8_t {
    invalid_argument,   // the caller, or a peer, gave something outside the documented limits
    malformed,          // bytes that do not parse
    authentication,     // a signature, tag or identity that does not verify
    not_found,          // no such id
    already_exists,     // a duplicate of something that must be unique
    exhausted,          // a bound was reached: table full, queue full, quota spent
    unavailable,        // the other side cannot be reached or cannot serve now; a retry may succeed
    timed_out,          // a deadline passed
    cancelled,          // the user gave up
    permission_denied,  // known, but not allowed
    io,                 // the operating system said no
    internal,           // a fault of ours
};

std::string_view to_string(ErrorCode code);

struct Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;

    bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
    return std::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace planetserve
