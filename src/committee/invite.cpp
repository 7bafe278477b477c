#include "committee/invite.h"

#include <algorithm>

#include "base/requires.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

namespace planetserve::committee {

namespace {

constexpr std::uint8_t invite_version = 1;
// Of a digest over all before it, so that a slip of the hand is named as one.
constexpr std::size_t check_size = 4;

ByteView check_of(const crypto::Digest& digest) { return ByteView(digest).first(check_size); }

std::unexpected<Error> wrong(const std::string& why) {
    return fail(ErrorCode::malformed, "this is not an invite: " + why + "; an invite is one line that begins with " +
                                          std::string(invite_prefix) +
                                          ", as 'planetserve invite' prints it: copy it again, whole");
}

std::string without_blanks(std::string_view text) {
    std::string kept;
    std::ranges::copy_if(text, std::back_inserter(kept),
                         [](char c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; });
    return kept;
}

Result<Invite::Contact> read_contact(ByteReader& reader) {
    auto id = NodeId::from(reader.bytes(NodeId::size));
    const auto address = reader.bytes(reader.u16());
    if (!id || !reader.ok()) return wrong("it ends early");
    auto parsed = Endpoint::parse(as_text(address));
    if (!parsed) return wrong(parsed.error().message);
    return Invite::Contact{*id, *parsed};
}

}  // namespace

std::string Invite::to_text() const {
    REQUIRES(!contacts.empty() && contacts.size() <= most_contacts);
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.u8(invite_version);
    writer.bytes(network.bytes());
    writer.u8(static_cast<std::uint8_t>(contacts.size()));
    for (const Contact& contact : contacts) {
        const std::string address = contact.address.to_string();
        writer.bytes(contact.id.bytes());
        writer.u16(static_cast<std::uint16_t>(address.size()));
        writer.bytes(as_bytes(address));
    }
    const auto digest = crypto::sha256(bytes);
    writer.bytes(check_of(digest));
    return std::string(invite_prefix) + crypto::to_base64url(bytes);
}

Result<Invite> Invite::parse(std::string_view text) {
    if (text.size() > longest_invite) return wrong("it is longer than any");
    const std::string line = without_blanks(text);
    if (!line.starts_with(invite_prefix)) return wrong("it begins otherwise");
    const auto bytes = crypto::from_base64url(std::string_view(line).substr(invite_prefix.size()));
    if (!bytes || bytes->size() < check_size) return wrong("a character in it is wrong, or some are missing");
    const ByteView body = ByteView(*bytes).first(bytes->size() - check_size);
    const auto digest = crypto::sha256(body);
    if (!std::ranges::equal(check_of(digest), ByteView(*bytes).last(check_size)))
        return wrong("a character in it is wrong, or some are missing");
    ByteReader reader(body);
    if (const auto version = reader.u8(); version != invite_version)
        return fail(ErrorCode::malformed, "the invite is of version " + std::to_string(version) +
                                              ", and this program knows version " + std::to_string(invite_version) +
                                              "; update PlanetServe");
    auto network = wire::NetworkId::from(reader.bytes(wire::NetworkId::size));
    const std::size_t count = reader.u8();
    if (!network || count == 0 || count > most_contacts) return wrong("it names no node, or too many");
    Invite invite{*network, {}};
    for (std::size_t i = 0; i < count; ++i) {
        auto contact = read_contact(reader);
        if (!contact) return std::unexpected(contact.error());
        invite.contacts.push_back(std::move(*contact));
    }
    if (!reader.finished()) return wrong("something follows its end");
    return invite;
}

Invite invite_to(const Genesis& genesis, Random& random) {
    REQUIRES(!genesis.validators.empty());
    Invite invite{genesis.network(), {}};
    std::vector<const GenesisValidator*> left;
    for (const auto& validator : genesis.validators) left.push_back(&validator);
    while (!left.empty() && invite.contacts.size() < most_contacts) {
        const auto drawn = left.begin() + static_cast<std::ptrdiff_t>(random.below(left.size()));
        invite.contacts.push_back({(*drawn)->id, (*drawn)->address});
        left.erase(drawn);
    }
    return invite;
}

}  // namespace planetserve::committee
