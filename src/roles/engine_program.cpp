#include "roles/engine_program.h"

#include <cstdlib>

namespace planetserve::roles {

Result<std::filesystem::path> engine_program() {
    const char* directory = std::getenv("PLANETSERVE_ENGINE");
    std::filesystem::path program =
        std::filesystem::path(directory == nullptr ? "" : directory) / "bin" / "llama-server";
    if (directory == nullptr || !std::filesystem::exists(program))
        return fail(ErrorCode::not_found,
                    "llama-server is not built; run ./planetserve model, which builds it, or set PLANETSERVE_ENGINE to "
                    "its directory");
    return program;
}

}  // namespace planetserve::roles
