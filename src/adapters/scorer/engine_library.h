// The engine's library, libllama, as the scorer uses it. Where the engine has shared libraries, the program is not
// linked with them: it loads them when the first model is loaded, so a node that scores nothing runs without an engine.
#pragma once

#include <llama.h>

#include <filesystem>

#include "base/result.h"

namespace planetserve::adapters {

// Every function of libllama and ggml that the scorer calls.
#define PLANETSERVE_ENGINE_FUNCTIONS(FUNCTION) \
    FUNCTION(ggml_backend_load_all_from_path)  \
    FUNCTION(llama_backend_init)               \
    FUNCTION(llama_batch_free)                 \
    FUNCTION(llama_batch_init)                 \
    FUNCTION(llama_context_default_params)     \
    FUNCTION(llama_decode)                     \
    FUNCTION(llama_free)                       \
    FUNCTION(llama_get_logits_ith)             \
    FUNCTION(llama_get_memory)                 \
    FUNCTION(llama_init_from_model)            \
    FUNCTION(llama_log_set)                    \
    FUNCTION(llama_memory_clear)               \
    FUNCTION(llama_memory_seq_rm)              \
    FUNCTION(llama_model_default_params)       \
    FUNCTION(llama_model_free)                 \
    FUNCTION(llama_model_get_vocab)            \
    FUNCTION(llama_model_load_from_file)       \
    FUNCTION(llama_n_ctx_seq)                  \
    FUNCTION(llama_vocab_get_suppress_tokens)  \
    FUNCTION(llama_vocab_is_eog)               \
    FUNCTION(llama_vocab_n_tokens)

// The functions under their own names: engine_library()->llama_decode(...).
struct EngineLibrary {
#define PLANETSERVE_MEMBER(name) decltype(&::name) name = nullptr;
    PLANETSERVE_ENGINE_FUNCTIONS(PLANETSERVE_MEMBER)
#undef PLANETSERVE_MEMBER
    // The folder with ggml's kernels, the one where llama-server finds its own; for ggml_backend_load_all_from_path.
    // Empty where the kernels are linked in.
    std::filesystem::path kernels = {};
};

// Loads the library from the first of these folders that has it: $PLANETSERVE_ENGINE, and the folder of
// the engine that this program was built with. Loads it once; later calls return the same, from any thread. Statically
// linked libraries need no folder.
//
// not_found: neither folder has the library. internal: it cannot be loaded; the message is the dynamic linker's.
// The library is never unloaded, since its threads may run until the process ends.
Result<const EngineLibrary*> engine_library();

// The file in `engine` that holds the library, in bin or lib. not_found names the folder.
Result<std::filesystem::path> find_engine_library(const std::filesystem::path& engine, std::string_view name);

}  // namespace planetserve::adapters
