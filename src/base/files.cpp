#include "base/files.h"

#include <fstream>

namespace planetserve {

namespace fs = std::filesystem;

Status write_file(const fs::path& file, const std::string& content) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    fs::path temporary = file;
    temporary += ".new";
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out) return fail(ErrorCode::io, "cannot write " + temporary.string());
    fs::rename(temporary, file, error);
    if (error) return fail(ErrorCode::io, "cannot write " + file.string() + ": " + error.message());
    return {};
}

Result<std::string> read_file(const fs::path& file, std::size_t maximum) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return fail(ErrorCode::io, "cannot read " + file.string());
    std::string text(maximum + 1, 0);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (text.size() > maximum)
        return fail(ErrorCode::exhausted, file.string() + " is larger than " + std::to_string(maximum) + " bytes");
    return text;
}

}  // namespace planetserve
