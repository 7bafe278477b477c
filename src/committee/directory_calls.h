// What both ends of a directory call share (docs/protocols/registry.md, Calls).
#pragma once

#include <string>

#include "base/words.h"
#include "committee/committee.pb.h"

namespace planetserve::committee {

// A call's id comes before its body, and before the answer's.
inline constexpr std::size_t call_id_size = 8;

// A refusal as a person sees it. Its text comes from a verification node, which may be hostile; much of it is noise.
inline std::string text_of(const proto::Answer::Refusal& refusal) {
    static constexpr std::size_t longest = 500;
    return printable(std::string_view(refusal.message()).substr(0, longest));
}

}  // namespace planetserve::committee
