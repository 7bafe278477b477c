#include "adapters/llama/model_store.h"

#include <sys/stat.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace planetserve::adapters {

namespace fs = std::filesystem;

namespace {

Result<crypto::Digest> parse_digest(std::string_view text, const std::string& whose) {
    crypto::Digest digest{};
    auto bytes = from_hex(text);
    if (!bytes || bytes->size() != digest.size())
        return fail(ErrorCode::invalid_argument, whose + ": the sha256 must have 64 hexadecimal digits");
    std::ranges::copy(*bytes, digest.begin());
    return digest;
}

bool plain_file_name(const std::string& name) {
    return !name.empty() && !name.starts_with('.') && name.find('/') == name.npos;
}

// The stamp of a file that was checked. It changes when the file does.
std::string stamp_of(const crypto::Digest& sha256, const struct stat& file) {
    return to_hex(sha256) + " " + std::to_string(file.st_size) + " " + std::to_string(file.st_mtim.tv_sec) + "." +
           std::to_string(file.st_mtim.tv_nsec) + "\n";
}

fs::path stamp_path(const fs::path& file) {
    return file.parent_path() / ("." + file.filename().string() + ".verified");
}

// If the folder cannot be written to, every start checks the file again.
void write_stamp(const fs::path& file, const crypto::Digest& sha256) {
    struct stat now{};
    if (::stat(file.c_str(), &now) == 0) std::ofstream(stamp_path(file), std::ios::trunc) << stamp_of(sha256, now);
}

Result<VerifiedModel> verify(const fs::path& file, const std::optional<crypto::Digest>& sha256) {
    struct stat found{};
    if (::stat(file.c_str(), &found) != 0) return fail(ErrorCode::not_found, "there is no model file " + file.string());
    if (!S_ISREG(found.st_mode)) return fail(ErrorCode::invalid_argument, file.string() + " is not a file");
    VerifiedModel model{file, sha256.value_or(crypto::Digest{}), static_cast<std::uint64_t>(found.st_size)};
    if (!sha256) return model;
    std::string line;
    if (std::ifstream stamp(stamp_path(file));
        stamp && std::getline(stamp, line) && line + "\n" == stamp_of(*sha256, found))
        return model;
    auto digest = sha256_of_file(file);
    if (!digest) return std::unexpected(digest.error());
    if (*digest != *sha256)
        return fail(ErrorCode::authentication, "the model file " + file.string() + " has the SHA-256 " +
                                                   to_hex(*digest) + ", not " + to_hex(*sha256) +
                                                   ": delete it and get it again");
    struct stat after{};
    bool unchanged = ::stat(file.c_str(), &after) == 0 && stamp_of(*sha256, after) == stamp_of(*sha256, found);
    if (unchanged) write_stamp(file, *sha256);
    return model;
}

}  // namespace

Result<std::vector<CatalogueModel>> read_catalogue(const fs::path& file) try {
    std::vector<CatalogueModel> models;
    YAML::Node root = YAML::LoadFile(file.string());
    for (const YAML::Node& entry : root["models"]) {
        CatalogueModel model;
        model.name = entry["name"].as<std::string>();
        model.file = entry["file"].as<std::string>();
        model.size = entry["size"].as<std::uint64_t>();
        model.license = entry["license"].as<std::string>("");
        model.description = entry["description"].as<std::string>("");
        auto digest = parse_digest(entry["sha256"].as<std::string>(), file.string() + ": model " + model.name);
        if (!digest) return std::unexpected(digest.error());
        model.sha256 = *digest;
        if (!plain_file_name(model.file))
            return fail(ErrorCode::invalid_argument,
                        file.string() + ": model " + model.name + ": \"" + model.file + "\" is not the name of a file");
        models.push_back(std::move(model));
    }
    return models;
} catch (const YAML::BadFile&) {
    return fail(ErrorCode::not_found, "cannot read the catalogue of models " + file.string());
} catch (const YAML::Exception& error) {
    return fail(ErrorCode::malformed, "the catalogue of models " + file.string() + ": " + error.what());
}

ModelStore::ModelStore(fs::path folder, std::optional<fs::path> catalogue, DownloadOptions options)
    : folder_(std::move(folder)), catalogue_(std::move(catalogue)), options_(options) {}

ModelStore ModelStore::from_environment() {
    auto variable = [](const char* name) -> std::string {
        const char* value = std::getenv(name);
        return value ? value : "";
    };
    fs::path folder = variable("PLANETSERVE_MODELS");
    if (folder.empty()) {
        fs::path cache = variable("XDG_CACHE_HOME");
        if (!cache.is_absolute()) cache = fs::path(variable("HOME")) / ".cache";
        folder = cache / "planetserve" / "models";
    }
    std::string catalogue = variable("PLANETSERVE_CATALOGUE");
    return ModelStore(std::move(folder), catalogue.empty() ? std::nullopt : std::optional<fs::path>(catalogue));
}

Result<VerifiedModel> ModelStore::resolve(const ModelSource& source, const DownloadProgress& progress) const {
    if (source.catalogue.has_value() + source.file.has_value() + source.url.has_value() != 1)
        return fail(ErrorCode::invalid_argument, "a model comes from exactly one of catalogue, file and url");
    if (source.catalogue) return from_catalogue(*source.catalogue);
    std::string whose = source.file ? source.file->string() : *source.url;
    std::optional<crypto::Digest> digest;
    if (source.sha256) {
        auto parsed = parse_digest(*source.sha256, whose);
        if (!parsed) return std::unexpected(parsed.error());
        digest = *parsed;
    }
    if (source.file) return verify(*source.file, digest);
    if (!digest) return fail(ErrorCode::invalid_argument, whose + ": a model from a URL needs its sha256");
    return from_url(*source.url, *digest, progress);
}

Result<VerifiedModel> ModelStore::from_catalogue(const std::string& name) const {
    if (!catalogue_)
        return fail(ErrorCode::not_found, "model " + name + ": no catalogue; PLANETSERVE_CATALOGUE must name its file");
    auto models = read_catalogue(*catalogue_);
    if (!models) return std::unexpected(models.error());
    auto found = std::ranges::find(*models, name, &CatalogueModel::name);
    if (found == models->end()) {
        std::string names;
        for (const CatalogueModel& model : *models) names += (names.empty() ? "" : ", ") + model.name;
        return fail(ErrorCode::not_found, "the catalogue has no model " + name + "; it has: " + names);
    }
    fs::path file = folder_ / found->file;
    std::error_code error;
    std::uint64_t size = fs::file_size(file, error);
    if (error)
        return fail(ErrorCode::not_found,
                    "model " + name + " is not on this machine: run `planetserve models fetch " + name + "`");
    if (size != found->size)
        return fail(ErrorCode::authentication, "the file of model " + name + " has " + std::to_string(size) +
                                                   " bytes, not " + std::to_string(found->size) + ": delete " +
                                                   file.string() + " and run `planetserve models fetch " + name + "`");
    return verify(file, found->sha256);
}

// The digest names the file, so two URLs of one file share it, and a name from a URL never becomes a path.
Result<VerifiedModel> ModelStore::from_url(const std::string& url, const crypto::Digest& sha256,
                                           const DownloadProgress& progress) const {
    std::error_code error;
    fs::create_directories(folder_, error);
    if (error) return fail(ErrorCode::io, "creating " + folder_.string() + ": " + error.message());
    fs::path file = folder_ / ("sha256-" + to_hex(sha256) + ".gguf");
    if (!fs::exists(file, error)) {
        if (Status got = download(url, sha256, file, options_, progress); !got) return std::unexpected(got.error());
        write_stamp(file, sha256);
    }
    return verify(file, sha256);
}

}  // namespace planetserve::adapters
