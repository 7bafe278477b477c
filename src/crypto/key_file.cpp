#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/files.h"
#include "crypto/identity.h"

namespace planetserve::crypto {

namespace {

// The file has two lines of "name hex", so that an operator can recognise it and back it up.
constexpr std::string_view identity_line = "planetserve-identity-v1 ";
constexpr std::string_view onion_line = "planetserve-onion-v1 ";
constexpr std::size_t maximum_size = 1024;

std::string reason() { return std::strerror(errno); }

Result<Secret<32>> take_line(std::string_view& text, std::string_view name, const std::string& file) {
    std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.starts_with(name)) {
        if (auto key = FixedBytes<struct SeedTag, 32>::from_hex(line.substr(name.size())))
            return Secret<32>(key->value);
    }
    return fail(ErrorCode::malformed, file + " is not a PlanetServe key file (no valid line '" + std::string(name) +
                                          "...'); restore it from a backup, or move it away to get a new identity");
}

Result<NodeKeys> read_keys(int descriptor, const std::string& file) {
    struct stat info{};
    if (fstat(descriptor, &info) != 0) return fail(ErrorCode::io, "cannot look at " + file + ": " + reason());
    if ((info.st_mode & 077) != 0)
        return fail(ErrorCode::permission_denied, file + " can be read by others; run: chmod 600 " + file);
    Bytes content(maximum_size + 1);
    ssize_t size = read(descriptor, content.data(), content.size());
    if (size < 0) return fail(ErrorCode::io, "cannot read " + file + ": " + reason());
    content.resize(static_cast<std::size_t>(size));
    std::string_view text = as_text(content);
    auto seed = take_line(text, identity_line, file);
    if (!seed) return std::unexpected(seed.error());
    auto onion = take_line(text, onion_line, file);
    if (!onion) return std::unexpected(onion.error());
    wipe(content);
    return NodeKeys{Identity::from_seed(*seed), AgreementKey::from_secret(*onion)};
}

}  // namespace

Result<NodeKeys> load_or_create_keys(const std::filesystem::path& path, Random& random) {
    const std::string file = path.string();
    int existing = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (existing >= 0) {
        auto keys = read_keys(existing, file);
        close(existing);
        return keys;
    }
    if (errno != ENOENT) return fail(ErrorCode::io, "cannot open " + file + ": " + reason());

    std::error_code error;
    if (path.has_parent_path() && !std::filesystem::exists(path.parent_path())) {
        std::filesystem::create_directories(path.parent_path(), error);
        if (error) return fail(ErrorCode::io, "cannot create " + path.parent_path().string() + ": " + error.message());
        std::filesystem::permissions(path.parent_path(), std::filesystem::perms::owner_all, error);
    }
    NodeKeys keys{Identity::generate(random), AgreementKey::generate(random)};
    std::string text;
    text.append(identity_line).append(to_hex(keys.identity.seed().bytes())).append("\n");
    text.append(onion_line).append(to_hex(keys.onion.secret().bytes())).append("\n");

    // Whole or not at all, so that a crash leaves no half a key.
    const Status written = write_private_file(path, text);
    wipe(MutableByteView(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
    if (!written) return std::unexpected(written.error());
    return keys;
}

}  // namespace planetserve::crypto
