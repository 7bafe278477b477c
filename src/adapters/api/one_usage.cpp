#include "adapters/api/one_usage.h"

#include <algorithm>
#include <utility>

#include "base/requires.h"
#include "inference/bounded_json.h"

namespace planetserve::adapters {

namespace {

constexpr std::size_t count_memory_limit = 1 << 20;  // bytes; the event has a few numbers

std::string as_event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

}  // namespace

std::string OneUsage::take(std::string_view bytes) {
    if (!readable_) return std::string(bytes);
    std::string out;
    const std::size_t before = begun_.size();
    begun_ += bytes;
    const std::size_t whole = inference::end_of_events(begun_, before);
    auto fed = events_.feed(std::string_view(begun_).substr(0, whole), [&](std::string_view data) {
        event(data, out);
        return true;
    });
    REQUIRES(fed);  // nothing is over a limit of the stream's
    begun_.erase(0, whole);
    readable_ = begun_.size() <= longest_event;
    if (!readable_) out += end() + std::exchange(begun_, {});
    return out;
}

void OneUsage::event(std::string_view data, std::string& out) {
    if (hold(data)) return;
    if (data == "[DONE]") out += end();
    out += as_event(data);
}

bool OneUsage::hold(std::string_view data) {
    if (data.find("\"usage\"") == std::string_view::npos) return false;
    auto event = inference::parse_json(data, count_memory_limit);
    if (!event) return false;
    const auto* choices = inference::list_of(inference::find(&*event, "choices"));
    const auto* usage = inference::find(&*event, "usage");
    auto prompt = inference::count_of(inference::find(usage, "prompt_tokens"));
    auto completion = inference::count_of(inference::find(usage, "completion_tokens"));
    if (choices == nullptr || !choices->empty() || !prompt || !completion) return false;
    prompt_tokens_ = std::max(prompt_tokens_, *prompt);
    completion_tokens_ += *completion;
    auto& members = event->as_object().at("usage").as_object();
    members["prompt_tokens"] = prompt_tokens_;
    members["completion_tokens"] = completion_tokens_;
    members["total_tokens"] = prompt_tokens_ + completion_tokens_;
    held_ = inference::compact(*event);
    return true;
}

std::string OneUsage::end() { return held_.empty() ? std::string() : as_event(std::exchange(held_, {})); }

}  // namespace planetserve::adapters
