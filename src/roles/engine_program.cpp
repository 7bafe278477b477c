#include "roles/engine_program.h"

#include <cstdlib>

namespace planetserve::roles {

Result<std::filesystem::path> engine_program() {
    const char* directory = std::getenv("PLANETSERVE_ENGINE");
    std::filesystem::path program =
        std::filesystem::path(directory == nullptr ? "" : directory) / "bin" / "llama-server";
    if (directory == nullptr || !std::filesystem::exists(program))
        return fail(
            ErrorCode::not_found,
            "there is no llama-server; run ./planetserve model, which installs it, or set PLANETSERVE_ENGINE to "
            "its directory");
    return program;
}

}  // namespace planetserve::roles
