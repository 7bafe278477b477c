// Light blocks from a hostile node, to the parser, the rules and a client. The first byte says how the rest is meant:
// as a light block; as one signed by the chain's real validators after it was changed, so that the rules behind the
// signatures are reached; or as a kept block. Whatever comes, a client holds nothing that its chain's validators did
// not sign.

#include <google/protobuf/stubs/logging.h>

#include <optional>

#include "base/random.h"
#include "fuzz_check.h"
#include "lightclient/light_client.h"

using namespace planetserve;
using namespace planetserve::lightclient;

namespace {

struct Chain {
    Chain() {
        SeededRandom random(1);
        std::vector<Validator> validators;
        for (int i = 0; i < 4; ++i) {
            identities.push_back(crypto::Identity::generate(random));
            validators.push_back({identities.back().id(), 10 + i});
        }
        set = ValidatorSet::make(std::move(validators)).value();
    }
    void sign(LightBlock& block) const {
        block.commit.height = block.header.height;
        block.commit.block_id.hash = to_bytes(ByteView(hash(block.header)));
        for (std::size_t i = 0; i < block.commit.signatures.size() && i < block.validators.size(); ++i)
            for (const auto& identity : identities) {
                auto& signature = block.commit.signatures[i];
                if (identity.id() != block.validators.validators()[i].key || signature.flag == BlockIdFlag::absent)
                    continue;
                signature.signature = identity.sign_raw(sign_bytes(block.commit, i, block.header.chain_id));
            }
    }
    LightBlock block(std::int64_t height) const {
        LightBlock made{{}, {}, *set};
        made.header.chain_id = "fuzz";
        made.header.height = height;
        made.header.time = {1'000 + height, 0};
        made.header.validators_hash = made.header.next_validators_hash = to_bytes(ByteView(set->hash()));
        made.commit.block_id = {{}, 1, Bytes(32, 1)};
        for (std::size_t i = 0; i < set->size(); ++i)
            made.commit.signatures.push_back({BlockIdFlag::commit, set->address(i), made.header.time, {}});
        sign(made);
        return made;
    }
    // Whether more than two thirds of the chain's power signed it, counted in another way than the client does.
    bool signed_by_chain(const LightBlock& block) const {
        std::int64_t power = 0;
        for (std::size_t v = 0; v < set->size(); ++v)
            for (std::size_t i = 0; i < block.commit.signatures.size(); ++i) {
                const auto& signature = block.commit.signatures[i];
                if (signature.flag != BlockIdFlag::commit || signature.validator != set->address(v) ||
                    !crypto::verify_raw(set->validators()[v].key, sign_bytes(block.commit, i, block.header.chain_id),
                                        signature.signature))
                    continue;
                power += set->validators()[v].power;
                break;
            }
        return power * 3 > set->total_power() * 2;
    }

    std::vector<crypto::Identity> identities;
    std::optional<ValidatorSet> set;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Chain chain;
    static const LightBlock first = chain.block(5);
    static const bool quiet = [] {
        google::protobuf::SetLogHandler(nullptr);
        return true;
    }();
    check(quiet, "quiet");
    if (size == 0) return 0;
    ByteView input(data + 1, size - 1);
    Timestamp now{1'100, 0};
    LightClient client("fuzz", *chain.set, {});
    if (data[0] % 4 == 3) {
        if (client.adopt(input)) {
            check(client.latest()->header.chain_id == "fuzz", "a kept block of this chain");
            check(check_consistency(*client.latest()).has_value(), "a kept block is consistent");
        }
        return 0;
    }
    auto block = parse_light_block(input);
    if (!block) return 0;
    check(parse_light_block(encode(*block)) == block, "a light block comes back as it was");
    if (data[0] % 4 == 1) chain.sign(*block);
    if (data[0] & 4) check(client.update(first, now).has_value(), "the chain's own block is taken");
    auto checked = client.update(*block, now);
    if (checked) {
        check(*client.latest() == *block || block->header == first.header, "the block is taken");
        check(chain.signed_by_chain(*block), "a block that is taken is signed by the chain's validators");
        check(block->header.chain_id == "fuzz" && block->header.time < now + 10s, "a block of this chain and time");
    } else if (checked.error().reason == Reason::forked) {
        check(chain.signed_by_chain(*block) && block->header.height == 5, "a fork is signed");
    } else {
        check(!client.fork(), "no fork without evidence");
    }
    return 0;
}
