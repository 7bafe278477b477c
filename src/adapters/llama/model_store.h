// Finds the model file that a configuration names, and checks its content.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/llama/download.h"

namespace planetserve::adapters {

// A model this installation knows: an entry of configs/catalogue.json.
struct CatalogueModel {
    std::string name;
    std::string file;  // in the folder of models
    crypto::Digest sha256{};
    std::uint64_t size = 0;
    std::string license;
    std::string description;
};

Result<std::vector<CatalogueModel>> read_catalogue(const std::filesystem::path& file);

// Give exactly one of catalogue, file and url. A URL needs a sha256 (64 hexadecimal digits); a file may have one.
struct ModelSource {
    std::optional<std::string> catalogue;
    std::optional<std::filesystem::path> file;
    std::optional<std::string> url;
    std::optional<std::string> sha256;
};

struct VerifiedModel {
    std::filesystem::path file;
    crypto::Digest sha256{};  // zero when no digest was given
    std::uint64_t size = 0;
};

// Blocks while it hashes and downloads. Use it from one thread at a time.
class ModelStore {
public:
    // The folder of models; the catalogue, if there is one.
    ModelStore(std::filesystem::path folder, std::optional<std::filesystem::path> catalogue,
               DownloadOptions options = {});
    // By PLANETSERVE_MODELS and PLANETSERVE_CATALOGUE; the first defaults to planetserve/models in XDG_CACHE_HOME or
    // ~/.cache.
    static ModelStore from_environment();

    // Checks a file's content once. It remembers that in ".NAME.verified" beside the file, with the size and the time
    // of change.
    Result<VerifiedModel> resolve(const ModelSource& source, const DownloadProgress& progress = {}) const;

private:
    Result<VerifiedModel> from_catalogue(const std::string& name) const;
    Result<VerifiedModel> from_url(const std::string& url, const crypto::Digest& sha256,
                                   const DownloadProgress& progress) const;

    std::filesystem::path folder_;
    std::optional<std::filesystem::path> catalogue_;
    DownloadOptions options_;
};

}  // namespace planetserve::adapters
