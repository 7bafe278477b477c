#include "inference/media_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <span>
#include <string_view>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 13> media_types{
    "image_url",   "input_image", "image",      "input_audio", "audio_url", "audio",       "video_url",
    "input_video", "video",       "input_file", "file",        "document",  "image_embeds"};

// Of a part: an URL as text, or an object with it.
constexpr std::array<std::string_view, 10> url_members{"image_url", "audio_url", "video_url", "file_url", "file_data",
                                                       "url",       "uri",       "image",     "audio",    "video"};
// These make a part one of media, whatever its type says.
constexpr std::span telling_members = std::span(url_members).first<5>();
// Files that lie at the engine, and parts of what it kept of somebody.
constexpr std::array<std::string_view, 2> file_members{"file_id", "path"};
constexpr std::string_view kept_type = "item_reference";
// Some engines read these as code.
constexpr std::array<std::string_view, 4> tensor_members{"image_embeds", "audio_embeds", "video_embeds",
                                                         "prompt_embeds"};

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
        const json::object& object = value.get_object();
        bool tool_use = false;
        for (const auto& [name, inner] : object) {
            const std::string folded = lower_case(name);
            in_media |= is_one_of(folded, telling_members);
            auto type = folded == "type" ? text_of(&inner) : std::nullopt;
            if (!type) continue;
            tool_use |= *type == "tool_use";
            if (lower_case(*type) == kept_type) return "what an engine kept of other requests is not read";
            if (!is_one_of(lower_case(*type), media_types)) continue;
            in_media = true;
            if (rules_.media == Media::none)
                return "this model reads text only, and a part of the request is of type \"" + std::string(*type) +
                       "\"";
        }
        for (const auto& [name, inner] : object) {
            // What a tool is given is the tool's own.
            if (tool_use && name == "input") continue;
            if (auto wrong = member(lower_case(name), inner, in_media)) return wrong;
            if (auto wrong = walk(inner, in_media)) return wrong;
        }
        return std::nullopt;
    }

private:
    std::optional<std::string> member(const std::string& name, const json::value& value, bool in_media) const {
        if (is_one_of(name, tensor_members)) return "embeddings in place of content are not read";
        if (const json::array* list = list_of(&value)) {
            for (const json::value& item : *list)
                if (auto wrong = item.is_string() ? member(name, item, in_media) : std::nullopt) return wrong;
            return std::nullopt;
        }
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
