#include "adapters/llama/gguf.h"

#include <algorithm>
#include <bit>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace planetserve::adapters {

namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it lies");

constexpr std::uint32_t magic_number = 0x46554747;  // "GGUF"
constexpr std::uint32_t oldest_version = 2;
constexpr std::uint32_t newest_version = 3;
constexpr std::uint64_t most_keys = 1 << 16;
constexpr std::uint64_t longest_key = 1 << 16;   // bytes
constexpr std::uint64_t longest_text = 1 << 24;  // bytes
constexpr std::uint64_t largest_token = 0x7fffffff;
constexpr std::uint64_t bytes_a_number = 2;  // f16, llama-server's default for its cache
constexpr std::uint64_t most_layers = 4096;
constexpr std::uint64_t longest_array = std::uint64_t{1} << 32;

enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

std::uint64_t size_of(std::uint32_t type) {
    constexpr std::uint64_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < std::size(sizes) ? sizes[type] : 0;
}

std::unexpected<Error> broken(const std::string& what) { return fail(ErrorCode::malformed, "no usable GGUF: " + what); }

// Reads whole numbers and texts of the head, by key, and skips all other values.
class Head {
public:
    explicit Head(const std::filesystem::path& file) : in_(file, std::ios::binary) {}

    // The model's shape comes before its vocabulary, which is most of the head.
    enum class Until : std::uint8_t { vocabulary, end };

    Status read(Until until) {
        if (!in_) return fail(ErrorCode::io, "the file cannot be opened");
        auto magic = number<std::uint32_t>();
        auto version = number<std::uint32_t>();
        if (magic != magic_number || version < oldest_version || version > newest_version)
            return broken("not a file of version 2 or 3");
        number<std::uint64_t>();  // tensors
        auto keys = number<std::uint64_t>();
        if (keys > most_keys) return broken("too many keys");
        for (std::uint64_t i = 0; i < keys; ++i) {
            std::string key = text(longest_key);
            if (!in_ || (until == Until::vocabulary && key.starts_with("tokenizer."))) break;
            if (!read_value(key)) return broken("a value of " + key.substr(0, 100));
        }
        return {};
    }

    Result<std::vector<std::uint64_t>> numbers(const std::string& key) const {
        auto found = numbers_.find(key);
        if (found == numbers_.end() || found->second.empty()) return broken(key + " is missing");
        return found->second;
    }
    const std::string& architecture() const { return architecture_; }

private:
    template <typename T>
    T number() {
        T value{};
        in_.read(reinterpret_cast<char*>(&value), sizeof value);
        return in_ ? value : T{};
    }
    std::string text(std::uint64_t limit) {
        auto size = number<std::uint64_t>();
        if (size > limit) in_.setstate(std::ios::failbit);
        if (!in_) return {};
        std::string value(size, '\0');
        in_.read(value.data(), static_cast<std::streamsize>(size));
        return value;
    }
    void skip(std::uint64_t bytes) {
        // Words of the vocabulary are short and already in the buffer, which a seek would empty.
        constexpr std::uint64_t near = 4096;
        if (bytes < near)
            in_.ignore(static_cast<std::streamsize>(bytes));
        else
            in_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    }

    std::uint64_t whole(std::uint32_t type) {
        switch (type) {
            case u32:
                return number<std::uint32_t>();
            case i32:
                return static_cast<std::uint64_t>(std::max(number<std::int32_t>(), 0));
            case u64:
                return number<std::uint64_t>();
            default:
                skip(size_of(type));
                return 0;
        }
    }

    bool read_value(const std::string& key) {
        auto type = number<std::uint32_t>();
        if (type == string) {
            std::string value = text(longest_text);
            if (key == "general.architecture") architecture_ = value;
        } else if (type != array) {
            if (size_of(type) == 0) return false;
            numbers_[key] = {whole(type)};
        } else {
            auto element = number<std::uint32_t>();
            auto count = number<std::uint64_t>();
            if (count > longest_array) return false;
            if (element == string) {
                for (std::uint64_t i = 0; i < count && in_; ++i) skip(number<std::uint64_t>());
            } else if (size_of(element) == 0) {
                return false;
            } else if (count > most_layers) {
                skip(count * size_of(element));
            } else {
                auto& values = numbers_[key];
                for (std::uint64_t i = 0; i < count && in_; ++i) values.push_back(whole(element));
            }
        }
        return static_cast<bool>(in_);
    }

    std::ifstream in_;
    std::string architecture_;
    std::map<std::string, std::vector<std::uint64_t>> numbers_;
};

}  // namespace

Result<std::uint64_t> kv_bytes_per_token(const std::filesystem::path& file) {
    Head head(file);
    if (auto read = head.read(Head::Until::vocabulary); !read) return std::unexpected(read.error());
    const std::string prefix = head.architecture() + ".";
    auto layers = head.numbers(prefix + "block_count");
    auto heads = head.numbers(prefix + "attention.head_count");
    if (!layers) return std::unexpected(layers.error());
    if (!heads) return std::unexpected(heads.error());
    if (layers->front() == 0 || layers->front() > most_layers) return broken("the number of layers");
    // Groups of keys and values: as many as heads unless the file says otherwise. One number for all layers, or one for
    // each.
    auto groups = head.numbers(prefix + "attention.head_count_kv").value_or(*heads);
    auto length = [&](const std::string& key) -> Result<std::uint64_t> {
        if (auto given = head.numbers(prefix + key)) return given->front();
        auto width = head.numbers(prefix + "embedding_length");
        if (!width) return std::unexpected(width.error());
        if (heads->front() == 0) return broken("no heads");
        return width->front() / heads->front();
    };
    auto keys = length("attention.key_length");
    auto values = length("attention.value_length");
    if (!keys) return std::unexpected(keys.error());
    if (!values) return std::unexpected(values.error());
    constexpr std::uint64_t most = 1 << 20;
    if (*keys > most || *values > most) return broken("the length of a head");
    std::uint64_t bytes = 0;
    for (std::uint64_t layer = 0; layer < layers->front(); ++layer) {
        std::uint64_t group = groups[std::min<std::size_t>(layer, groups.size() - 1)];
        if (group > most) return broken("the number of heads");
        bytes += group * (*keys + *values) * bytes_a_number;
    }
    if (bytes == 0) return broken("a model without a KV cache");
    return bytes;
}

Result<std::uint32_t> end_token(const std::filesystem::path& file) {
    Head head(file);
    if (auto read = head.read(Head::Until::end); !read) return std::unexpected(read.error());
    auto token = head.numbers("tokenizer.ggml.eot_token_id");
    if (!token) token = head.numbers("tokenizer.ggml.eos_token_id");
    if (!token) return std::unexpected(token.error());
    if (token->front() > largest_token) return broken("the token that ends a text");
    return static_cast<std::uint32_t>(token->front());
}

}  // namespace planetserve::adapters
