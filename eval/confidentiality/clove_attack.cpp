#include "eval/confidentiality/clove_attack.h"

#include <stdexcept>

namespace planetserve::eval {

namespace {

constexpr std::size_t message_size = 2048;  // of a padded size, so that it comes out as it went in

exchange::ExchangeKeys keys_of(const crypto::AgreementKey& own, const crypto::AgreementPublicKey& peer,
                               const exchange::ExchangeId& id, const crypto::AgreementPublicKey& model_onion_key) {
    auto keys = exchange::derive_keys(own, peer, id, model_onion_key);
    if (!keys) throw std::logic_error("a fresh key of small order");
    return *keys;
}

crypto::AgreementPublicKey public_key(const exchange::ExchangeId& id) { return crypto::AgreementPublicKey{id.value}; }

}  // namespace

CloveAttack::CloveAttack(dispersal::Threshold threshold, Random& random)
    : threshold_(threshold),
      random_(random),
      model_node_(crypto::AgreementKey::generate(random)),
      adversary_(crypto::AgreementKey::generate(random)),
      message_(message_size) {}

std::vector<Bytes> CloveAttack::disperse() {
    random_.fill(message_);
    return dispersal::split(message_, threshold_, random_.id<MessageId>(), {}, random_).value();
}

std::vector<Bytes> CloveAttack::disperse_sealed() {
    random_.fill(message_);
    auto user = crypto::AgreementKey::generate(random_);
    exchange_ = exchange::ExchangeId{user.public_key().value};
    auto keys = keys_of(user, model_node_.public_key(), exchange_, model_node_.public_key());
    exchange::RecordSender sender(exchange::RecordKind::request, keys.request, threshold_);
    return sender.add(message_, random_);
}

bool CloveAttack::reads(std::span<const ByteView> cloves, ByteView binding) const {
    auto recovered = dispersal::combine(cloves, binding, exchange::maximum_record);
    return recovered && recovered->message == message_;
}

// With nothing, and with the secrets their own keys give with each key that they know.
bool CloveAttack::adversaries_read(std::span<const ByteView> cloves) const {
    if (reads(cloves, {})) return true;
    if (exchange_ == exchange::ExchangeId{}) return false;
    for (const auto& peer : {public_key(exchange_), model_node_.public_key()}) {
        auto keys = keys_of(adversary_, peer, exchange_, model_node_.public_key());
        for (const auto* key : {&keys.request, &keys.control, &keys.reply})
            if (reads(cloves, key->bytes())) return true;
    }
    return false;
}

bool CloveAttack::model_node_reads(std::span<const ByteView> cloves) const {
    if (reads(cloves, {})) return true;
    if (exchange_ == exchange::ExchangeId{}) return false;
    auto keys = keys_of(model_node_, public_key(exchange_), exchange_, model_node_.public_key());
    return reads(cloves, keys.request.bytes());
}

}  // namespace planetserve::eval
