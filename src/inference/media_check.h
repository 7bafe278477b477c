// Pictures, sound and files in a request. An engine that reads them may fetch what an URL names, from inside its
// operator's network.
#pragma once

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace planetserve::inference {

enum class Media {
    none,     // the engine reads text only
    in_body,  // data: URLs and base64
};

struct MediaRules {
    Media media;
    const std::vector<std::string>& hosts;  // may be fetched from too, by http or https
};

// Looks through messages, an input or a prompt. What is wrong with the first part that may not pass; empty when all
// may.
std::optional<std::string> wrong_media(const boost::json::value& content, const MediaRules& rules);

}  // namespace planetserve::inference
