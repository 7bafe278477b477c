#include "committee/genesis.h"

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <set>
#include <utility>

#include "base/words.h"
#include "crypto/hash.h"

namespace planetserve::committee {

namespace json = boost::json;

namespace {

std::unexpected<Error> wrong(const std::string& what) { return fail(ErrorCode::malformed, "genesis: " + what); }

Status known_keys(const json::object& object, const std::string& where, const std::set<std::string>& known) {
    for (const auto& item : object) {
        if (known.contains(std::string(item.key()))) continue;
        std::string list;
        for (const std::string& key : known) list += (list.empty() ? "" : ", ") + key;
        return wrong("unknown key '" + where + printable(item.key()) + "'; there are: " + list);
    }
    return {};
}

Result<std::string> text_at(const json::object& object, const char* key, const std::string& where) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || !value->is_string() || value->as_string().size() > 1024)
        return wrong("'" + where + key + "' must be a text");
    return std::string(value->as_string());
}

Result<std::int64_t> number_at(const json::object& object, const char* key, const std::string& where,
                               std::int64_t least, std::int64_t most) {
    const auto* value = object.if_contains(key);
    boost::system::error_code error;
    std::int64_t number = value == nullptr || !value->is_number() ? 0 : value->to_number<std::int64_t>(error);
    if (value == nullptr || !value->is_number() || error || number < least || number > most)
        return wrong("'" + where + key + "' must be a whole number, " + std::to_string(least) + " to " +
                     std::to_string(most));
    return number;
}

Result<GenesisValidator> parse_validator(const json::value& value) {
    if (!value.is_object()) return wrong("'validators' must be a list of objects");
    const auto& object = value.as_object();
    if (auto known = known_keys(object, "validators.", {"name", "public_key", "power", "address", "consensus_address"});
        !known)
        return std::unexpected(known.error());
    auto name = text_at(object, "name", "validators.");
    auto key = text_at(object, "public_key", "validators.");
    auto power = number_at(object, "power", "validators.", 1, 1'000'000'000);
    auto address = text_at(object, "address", "validators.");
    for (const auto* field : {&name, &key, &address})
        if (!*field) return std::unexpected(field->error());
    if (!power) return std::unexpected(power.error());
    auto id = NodeId::from_hex(*key);
    if (!id) return wrong("'validators.public_key' must be 64 hex digits");
    if (!is_printable(*name)) return wrong("'validators.name' must have printable characters of ASCII alone");
    auto endpoint = Endpoint::parse(*address);
    if (!endpoint) return wrong("'validators.address': " + endpoint.error().message);
    GenesisValidator validator{*name, *id, static_cast<std::uint64_t>(*power), *endpoint, {}};
    if (object.contains("consensus_address")) {
        auto text = text_at(object, "consensus_address", "validators.");
        auto consensus = text ? Endpoint::parse(*text) : std::unexpected(text.error());
        if (!consensus) return wrong("'validators.consensus_address': " + consensus.error().message);
        validator.consensus_address = *consensus;
    }
    return validator;
}

// The names of verification's parameters in the genesis, in the order of its canonical form.
template <typename Parameters, typename Visit>
void each_verification_parameter(Parameters& parameters, Visit&& visit) {
    visit("epoch_ms", parameters.epoch_ms);
    visit("draw_ms", parameters.draw_ms);
    visit("leader_ms", parameters.leader_ms);
    visit("leaders", parameters.leaders);
    visit("recheck_ms", parameters.recheck_ms);
    visit("commit_ms", parameters.commit_ms);
    visit("reveal_ms", parameters.reveal_ms);
    visit("nodes_per_epoch", parameters.nodes_per_epoch);
    visit("challenges_per_node", parameters.challenges_per_node);
    visit("alpha", parameters.alpha);
    visit("beta", parameters.beta);
    visit("gamma", parameters.gamma);
    visit("window", parameters.window);
    visit("tau", parameters.tau);
    visit("trust", parameters.trust);
    visit("initial", parameters.initial);
    visit("far", parameters.far);
    visit("far_permitted", parameters.far_permitted);
    visit("forget_epochs", parameters.forget_epochs);
}

Result<verification::Parameters> parse_verification(const json::value& value) {
    const std::string where = "parameters.verification.";
    if (!value.is_object()) return wrong("'parameters.verification' must be an object");
    const auto& object = value.as_object();
    verification::Parameters parameters;
    std::set<std::string> known;
    Status status;
    each_verification_parameter(parameters, [&](const char* key, auto& target) {
        known.insert(key);
        if (!status || !object.contains(key)) return;
        auto number = number_at(object, key, where, 0, std::numeric_limits<std::int64_t>::max());
        if (!number)
            status = std::unexpected(number.error());
        else if (!std::in_range<std::remove_reference_t<decltype(target)>>(*number))
            status = wrong("'" + where + key + "' is too large");
        else
            target = static_cast<std::remove_reference_t<decltype(target)>>(*number);
    });
    if (status) status = known_keys(object, where, known);
    if (!status) return std::unexpected(status.error());
    if (auto checked = verification::check(parameters); !checked)
        return wrong("'parameters.verification': " + checked.error().message);
    return parameters;
}

json::object to_json_object(const verification::Parameters& parameters) {
    json::object object;
    each_verification_parameter(parameters, [&](const char* key, const auto& value) { object[key] = value; });
    return object;
}

Result<Parameters> parse_parameters(const json::value* value) {
    Parameters parameters;
    if (value == nullptr) return parameters;
    if (!value->is_object()) return wrong("'parameters' must be an object");
    const auto& object = value->as_object();
    if (auto known = known_keys(object, "parameters.",
                                {"lease_ms", "renew_ms", "clock_tolerance_ms", "update_interval_ms", "maximum_nodes",
                                 "maximum_list_bytes", "verification", "prompt_pool"});
        !known)
        return std::unexpected(known.error());
    auto read = [&](const char* key, auto& target, std::int64_t least, std::int64_t most) -> Status {
        if (!object.contains(key)) return {};
        auto number = number_at(object, key, "parameters.", least, most);
        if (!number) return std::unexpected(number.error());
        target = static_cast<std::remove_reference_t<decltype(target)>>(*number);
        return {};
    };
    if (auto lease = read("lease_ms", parameters.lease_ms, 1000, 86'400'000); !lease)
        return std::unexpected(lease.error());
    parameters.renew_ms = parameters.lease_ms / 3;
    for (const Status& status : {read("renew_ms", parameters.renew_ms, 100, parameters.lease_ms / 2),
                                 read("clock_tolerance_ms", parameters.clock_tolerance_ms, 1000, 86'400'000),
                                 read("update_interval_ms", parameters.update_interval_ms, 0, 60'000),
                                 read("maximum_nodes", parameters.maximum_nodes, 1, 10'000'000),
                                 read("maximum_list_bytes", parameters.maximum_list_bytes, 1 << 16, 1 << 30)})
        if (!status) return std::unexpected(status.error());
    if (const auto* asked = object.if_contains("verification")) {
        auto verification = parse_verification(*asked);
        if (!verification) return std::unexpected(verification.error());
        parameters.verification = *verification;
    }
    if (object.contains("prompt_pool")) {
        auto text = text_at(object, "prompt_pool", "parameters.");
        if (!text) return std::unexpected(text.error());
        auto bytes = from_hex(*text);
        crypto::Digest digest{};
        if (!bytes || bytes->size() != digest.size())
            return wrong("'parameters.prompt_pool' must be a SHA-256 in hexadecimal");
        if (!parameters.verification) return wrong("'parameters.prompt_pool' without 'parameters.verification'");
        std::ranges::copy(*bytes, digest.begin());
        parameters.prompt_pool = digest;
    }
    return parameters;
}

}  // namespace

wire::NetworkId Genesis::network() const { return {crypto::sha256(as_bytes(to_json()))}; }

bool Genesis::is_committee() const {
    return !validators.empty() && std::all_of(validators.begin(), validators.end(), [](const auto& validator) {
        return validator.consensus_address.has_value();
    });
}

std::string Genesis::consensus_chain_id() const { return "planetserve-" + network().hex().substr(0, 32); }

std::uint64_t Genesis::total_power() const {
    std::uint64_t total = 0;
    for (const auto& validator : validators) total += validator.power;
    return total;
}

const GenesisValidator* Genesis::find(const NodeId& id) const {
    auto found =
        std::find_if(validators.begin(), validators.end(), [&](const auto& validator) { return validator.id == id; });
    return found == validators.end() ? nullptr : &*found;
}

std::string Genesis::to_json() const {
    json::array list;
    for (const auto& validator : validators) {
        json::object item{{"name", validator.name},
                          {"public_key", validator.id.hex()},
                          {"power", validator.power},
                          {"address", validator.address.to_string()}};
        if (validator.consensus_address) item["consensus_address"] = validator.consensus_address->to_string();
        list.push_back(std::move(item));
    }
    json::object object{{"chain_id", chain_id},
                        {"genesis_time_ms", time.milliseconds},
                        {"validators", list},
                        {"parameters", json::object{{"lease_ms", parameters.lease_ms},
                                                    {"renew_ms", parameters.renew_ms},
                                                    {"clock_tolerance_ms", parameters.clock_tolerance_ms},
                                                    {"update_interval_ms", parameters.update_interval_ms},
                                                    {"maximum_nodes", parameters.maximum_nodes},
                                                    {"maximum_list_bytes", parameters.maximum_list_bytes}}}};
    if (parameters.verification)
        object["parameters"].get_object()["verification"] = to_json_object(*parameters.verification);
    if (parameters.prompt_pool) object["parameters"].get_object()["prompt_pool"] = to_hex(*parameters.prompt_pool);
    return json::serialize(object);
}

Result<Genesis> Genesis::parse(std::string_view text) {
    boost::system::error_code error;
    json::value value = json::parse(json::string_view(text.data(), text.size()), error);
    if (error || !value.is_object()) return wrong(error ? "is not JSON: " + error.message() : "must be an object");
    const auto& object = value.as_object();
    if (auto known = known_keys(object, "", {"chain_id", "genesis_time_ms", "validators", "parameters"}); !known)
        return std::unexpected(known.error());
    Genesis genesis;
    auto chain = text_at(object, "chain_id", "");
    if (!chain || chain->empty() || chain->size() > 50 || !is_printable(*chain))
        return wrong("'chain_id' must be a text of 1 to 50 printable characters of ASCII");
    auto time = number_at(object, "genesis_time_ms", "", 0, 10'000'000'000'000);
    if (!time) return std::unexpected(time.error());
    const auto* list = object.if_contains("validators");
    if (list == nullptr || !list->is_array() || list->as_array().empty() || list->as_array().size() > 1000)
        return wrong("'validators' must be a list of 1 to 1,000");
    genesis.chain_id = *chain;
    genesis.time = UnixTime{*time};
    for (const auto& item : list->as_array()) {
        auto validator = parse_validator(item);
        if (!validator) return std::unexpected(validator.error());
        if (genesis.find(validator->id) != nullptr)
            return wrong("two validators have the public key " + validator->id.hex());
        genesis.validators.push_back(std::move(*validator));
    }
    std::set<Endpoint> consensus;
    for (const auto& validator : genesis.validators) {
        if (!validator.consensus_address && genesis.validators.size() > 1)
            return wrong("validator " + validator.name +
                         " has no 'consensus_address', which each of a committee needs");
        if (validator.consensus_address && !consensus.insert(*validator.consensus_address).second)
            return wrong("two validators have the consensus address " + validator.consensus_address->to_string());
    }
    auto parameters = parse_parameters(object.if_contains("parameters"));
    if (!parameters) return std::unexpected(parameters.error());
    genesis.parameters = *parameters;
    return genesis;
}

}  // namespace planetserve::committee
