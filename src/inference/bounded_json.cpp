#include "inference/bounded_json.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>

namespace planetserve::inference {

namespace json = boost::json;

namespace {

struct Memory {
    std::size_t limit = 0;
    std::size_t used = 0;
};

class BoundedMemory final : public json::memory_resource {
public:
    explicit BoundedMemory(std::shared_ptr<Memory> memory) : memory_(std::move(memory)) {}

private:
    // Boost.JSON asks for no more than the usual alignment, and frees a key with another than it took it with.
    void* do_allocate(std::size_t size, std::size_t) override {
        if (size > memory_->limit - memory_->used) throw std::bad_alloc();
        void* allocated = ::operator new(size);
        memory_->used += size;
        return allocated;
    }
    void do_deallocate(void* allocated, std::size_t size, std::size_t) override {
        memory_->used -= size;
        ::operator delete(allocated);
    }
    bool do_is_equal(const json::memory_resource& other) const noexcept override { return this == &other; }

    std::shared_ptr<Memory> memory_;
};

}  // namespace

Result<json::value> parse_json(std::string_view text, std::size_t memory_limit) {
    try {
        // The value shares it.
        auto bound = std::make_shared<Memory>(Memory{.limit = memory_limit});
        json::storage_ptr memory = json::make_shared_resource<BoundedMemory>(bound);
        json::parse_options options;
        options.max_depth = json_depth_limit;
        json::parser parser(memory, options);
        parser.reset(memory);
        boost::system::error_code error;
        parser.write(text, error);
        if (error) return fail(ErrorCode::malformed, "not JSON: " + error.message());
        json::value value = parser.release();
        // What its owner adds to it is no stranger's, and must not fail.
        bound->limit = std::numeric_limits<std::size_t>::max();
        return value;
    } catch (const std::exception&) {
        return fail(ErrorCode::exhausted, "the JSON takes more memory than it may");
    }
}

const json::value* find(const json::value* value, std::string_view key) {
    return value != nullptr && value->is_object() ? value->get_object().if_contains(key) : nullptr;
}

const json::value* given(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return is_given(value) ? value : nullptr;
}

std::optional<std::string_view> text_of(const json::value* value) {
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string_view(value->get_string());
}

const json::array* list_of(const json::value* value) {
    return value != nullptr && value->is_array() ? &value->get_array() : nullptr;
}

std::optional<std::uint64_t> count_of(const json::value* value) {
    if (value == nullptr || !value->is_number()) return std::nullopt;
    boost::system::error_code not_whole;
    auto number = value->to_number<std::uint64_t>(not_whole);
    if (not_whole || number > std::uint64_t{1} << 48) return std::nullopt;
    return number;
}

std::optional<double> number_of(const json::value* value) {
    if (value == nullptr || !value->is_number()) return std::nullopt;
    boost::system::error_code lost;
    auto number = value->to_number<double>(lost);
    return lost ? std::nullopt : std::optional(number);
}

bool is_true(const json::value* value) { return value != nullptr && value->is_bool() && value->get_bool(); }

std::string lower_case(std::string_view name) {
    std::string folded(name);
    for (char& c : folded)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return folded;
}

bool is_one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
}

bool is_given(const json::value* value) { return value != nullptr && !value->is_null(); }

std::string compact(const json::value& value) { return json::serialize(value); }

}  // namespace planetserve::inference
