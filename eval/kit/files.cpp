#include "eval/kit/files.h"

#include <stdlib.h>

#include <fstream>
#include <stdexcept>

namespace planetserve::eval {

Status write_file(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::path part = path;
    part += ".part";
    std::ofstream file(part, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) return fail(ErrorCode::io, "cannot write " + part.string());
    std::error_code error;
    std::filesystem::rename(part, path, error);
    if (error) return fail(ErrorCode::io, "cannot write " + path.string() + ": " + error.message());
    return {};
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
    std::error_code error;
    std::uintmax_t size = std::filesystem::file_size(path, error);
    if (error) return fail(ErrorCode::io, path.string() + ": " + error.message());
    if (size > limit)
        return fail(ErrorCode::invalid_argument, path.string() + " has " + std::to_string(size) + " bytes; at most " +
                                                     std::to_string(limit) + " are read");
    std::ifstream file(path, std::ios::binary);
    std::string content(size, '\0');
    file.read(content.data(), static_cast<std::streamsize>(size));
    if (!file) return fail(ErrorCode::io, "cannot read " + path.string());
    return content;
}

TemporaryFolder::TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "planetserve-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder like " + name);
    path = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
}

}  // namespace planetserve::eval
