#include "base/result.h"

namespace planetserve {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "invalid argument";
        case ErrorCode::malformed:
            return "malformed";
        case ErrorCode::authentication:
            return "authentication failed";
        case ErrorCode::not_found:
            return "not found";
        case ErrorCode::already_exists:
            return "already exists";
        case ErrorCode::exhausted:
            return "exhausted";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::timed_out:
            return "timed out";
        case ErrorCode::cancelled:
            return "cancelled";
        case ErrorCode::permission_denied:
            return "permission denied";
        case ErrorCode::io:
            return "input/output error";
        case ErrorCode::internal:
            return "internal error";
    }
    return "unknown error";
}

}  // namespace planetserve
