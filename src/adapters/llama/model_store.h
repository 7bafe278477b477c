// From what a configuration calls a model to a file whose content is what it should be.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "adapters/llama/download.h"

namespace planetserve::adapters {

// A model this installation knows: an entry of configs/catalogue.yaml.
struct CatalogueModel {
    std::string name;
    std::string file;  // in the folder of models
    crypto::Digest sha256{};
    std::uint64_t size = 0;
    std::string license;
    std::string description;
};

Result<std::vector<CatalogueModel>> read_catalogue(const std::filesystem::path& file);

// Exactly one of catalogue, file and url. A sha256 (64 hexadecimal digits) is required with a URL and optional with a
// file.
struct ModelSource {
    std::optional<std::string> catalogue;
    std::optional<std::filesystem::path> file;
    std::optional<std::string> url;
    std::optional<std::string> sha256;
};

struct VerifiedModel {
    std::filesystem::path file;
    crypto::Digest sha256{};  // zero when nobody said what it should be
    std::uint64_t size = 0;
};

// Blocks while it hashes and downloads. May be used from any one thread at a time.
class ModelStore {
public:
    // The folder where models are; the catalogue, if there is one.
    ModelStore(std::filesystem::path folder, std::optional<std::filesystem::path> catalogue,
               DownloadOptions options = {});
    // By PLANETSERVE_MODELS and PLANETSERVE_CATALOGUE; the first defaults to planetserve/models in XDG_CACHE_HOME or
    // ~/.cache.
    static ModelStore from_environment();

    // Checks a file's content once and remembers that in ".NAME.verified" beside it, by its size and time of change.
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
