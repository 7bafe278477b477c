#include "inference/media_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string_view>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 13> media_types{
    "image_url",   "input_image", "image",      "input_audio", "audio_url", "audio",       "video_url",
    "input_video", "video",       "input_file", "file",        "document",  "image_embeds"};

// Of a part: an URL as text, or an object with it.
constexpr std::array<std::string_view, 7> url_members{"url",      "image_url", "audio_url", "video_url",
                                                      "file_url", "file_data", "uri"};
// A file that lies at the engine.
constexpr std::array<std::string_view, 2> file_members{"file_id", "path"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::ranges::find(names, name) != names.end();
}

bool may_fetch(std::string_view url, const std::vector<std::string>& hosts) {
    for (std::string_view scheme : {"https://", "http://"}) {
        if (!url.starts_with(scheme)) continue;
        std::string_view rest = url.substr(scheme.size());
        // Neither a user name, nor a backslash, which some readers take for a slash.
        std::string_view authority = rest.substr(0, rest.find_first_of("/?#\\@"));
        return std::ranges::find(hosts, authority) != hosts.end() && !rest.substr(authority.size()).starts_with('\\') &&
               !rest.substr(authority.size()).starts_with('@');
    }
    return false;
}

class MediaWalk {
public:
    explicit MediaWalk(const MediaRules& rules) : rules_(rules) {}

    std::optional<std::string> walk(const json::value& value, bool in_media) {
        if (const json::array* list = list_of(&value)) {
            for (const json::value& item : *list)
                if (auto wrong = walk(item, in_media)) return wrong;
            return std::nullopt;
        }
        if (!value.is_object()) return std::nullopt;
        // An engine may take a part by such a member whatever its type says.
        in_media |= std::ranges::any_of(
            url_members, [&](std::string_view name) { return name != "url" && name != "uri" && find(&value, name); });
        const auto type = text_of(find(&value, "type")).value_or("");
        // What a tool is given is the tool's own.
        if (type == "tool_use") return std::nullopt;
        const bool media = is_one_of(type, media_types);
        if (media && rules_.media == Media::none)
            return "this model reads text only, and a part of the request is of type \"" + std::string(type) + "\"";
        for (const auto& [name, inner] : value.get_object()) {
            if (auto wrong = member(name, inner, in_media || media)) return wrong;
            if (auto wrong = walk(inner, in_media || media)) return wrong;
        }
        return std::nullopt;
    }

private:
    std::optional<std::string> member(std::string_view name, const json::value& value, bool in_media) const {
        auto text = text_of(&value);
        if (!text) return std::nullopt;
        if (in_media && is_one_of(name, file_members))
            return "files that lie at the engine are not read; send the content itself";
        if (!is_one_of(name, url_members) || !in_media) return std::nullopt;
        const bool in_body = text->starts_with("data:") || (name == "file_data" && !text->contains("://"));
        if (rules_.media == Media::in_body && (in_body || may_fetch(*text, rules_.hosts))) return std::nullopt;
        return rules_.media == Media::none
                   ? "this model reads text only"
                   : "this model node fetches nothing from \"" + std::string(text->substr(0, 64)) +
                         "\"; send the content as a data: URL";
    }

    const MediaRules& rules_;
};

}  // namespace

std::optional<std::string> wrong_media(const json::value& content, const MediaRules& rules) {
    return MediaWalk(rules).walk(content, false);
}

}  // namespace planetserve::inference
