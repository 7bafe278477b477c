#include "adapters/scorer/engine_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace planetserve::adapters {

namespace fs = std::filesystem;

Result<fs::path> find_engine_library(const fs::path& engine, std::string_view name) {
    std::error_code error;
    for (const char* folder : {"bin", "lib"})
        if (fs::path file = engine / folder / name; fs::is_regular_file(file, error)) return file;
    return fail(ErrorCode::not_found, "there is no " + std::string(name) + " in " + engine.string());
}

namespace {

#ifdef LLAMA_ENGINE_LIBRARY

Result<fs::path> find_library() {
    if (const char* chosen = std::getenv("PLANETSERVE_ENGINE"); chosen != nullptr && *chosen != '\0')
        if (auto file = find_engine_library(chosen, LLAMA_ENGINE_LIBRARY)) return file;
    auto file = find_engine_library(LLAMA_ENGINE_FOLDER, LLAMA_ENGINE_LIBRARY);
    if (!file)
        return fail(ErrorCode::not_found,
                    file.error().message + "; set PLANETSERVE_ENGINE to the folder of an engine of this version");
    return file;
}

std::string linker_error() {
    const char* error = ::dlerror();
    return error == nullptr ? "no reason given" : error;
}

Result<EngineLibrary> load_library() {
    auto file = find_library();
    if (!file) return std::unexpected(file.error());
    void* handle = ::dlopen(file->c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return fail(ErrorCode::internal, "the engine's library cannot be loaded: " + linker_error());
    EngineLibrary library;
    // A search through a handle includes the libraries that libllama depends on, among them ggml.
#define PLANETSERVE_FIND(name)                                                       \
    library.name = reinterpret_cast<decltype(library.name)>(::dlsym(handle, #name)); \
    if (library.name == nullptr)                                                     \
        return fail(ErrorCode::internal, "the engine's library is of another version: " + linker_error());
    PLANETSERVE_ENGINE_FUNCTIONS(PLANETSERVE_FIND)
#undef PLANETSERVE_FIND
    library.kernels = file->parent_path().parent_path() / "bin";
    return library;
}

#else

Result<EngineLibrary> load_library() {
    EngineLibrary library;
#define PLANETSERVE_LINKED(name) library.name = &::name;
    PLANETSERVE_ENGINE_FUNCTIONS(PLANETSERVE_LINKED)
#undef PLANETSERVE_LINKED
    return library;
}

#endif

}  // namespace

Result<const EngineLibrary*> engine_library() {
    static const Result<EngineLibrary> library = load_library();
    if (!library) return std::unexpected(library.error());
    return &*library;
}

}  // namespace planetserve::adapters
