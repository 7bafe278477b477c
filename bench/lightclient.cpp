// A client's check of a light block that it got as bytes (src/lightclient): parse, hash, count, and verify the
// signatures of more than two thirds of the validators. Beside it the bare Ed25519 checks of as many signatures, 3 of 4
// and 67 of 100.
//
// adjacent    the next block: its validators are known by their hash
// skipping    a block 1,000 heights on, of the same validators
#include "base/random.h"
#include "bench/report.h"
#include "lightclient/light_client.h"

namespace {

using namespace planetserve;
using namespace planetserve::lightclient;

struct Bench {
    explicit Bench(std::size_t count) {
        SeededRandom random(1);
        std::vector<Validator> validators;
        for (std::size_t i = 0; i < count; ++i) {
            identities.push_back(crypto::Identity::generate(random));
            validators.push_back({identities.back().id(), 1});
        }
        set = ValidatorSet::make(std::move(validators)).value();
        trusted.emplace(TrustedBlock{block(1).header, *set});
        needed = count * 2 / 3 + 1;
    }
    LightBlock block(std::int64_t height) const {
        LightBlock made{{}, {}, *set};
        Header& header = made.header;
        header.chain_id = "bench";
        header.height = height;
        header.time = {1'700'000'000 + height, 0};
        header.last_block_id = {Bytes(32, 1), 1, Bytes(32, 2)};
        header.validators_hash = header.next_validators_hash = to_bytes(ByteView(set->hash()));
        for (Bytes* field : {&header.last_commit_hash, &header.data_hash, &header.consensus_hash, &header.app_hash,
                             &header.last_results_hash, &header.evidence_hash})
            *field = Bytes(32, 3);
        made.commit = {height, 0, {to_bytes(ByteView(hash(header))), 1, Bytes(32, 4)}, {}};
        for (std::size_t i = 0; i < set->size(); ++i)
            made.commit.signatures.push_back({BlockIdFlag::commit, set->address(i), header.time, {}});
        for (std::size_t i = 0; i < set->size(); ++i)
            for (const auto& identity : identities)
                if (identity.id() == set->validators()[i].key)
                    made.commit.signatures[i].signature = identity.sign_raw(sign_bytes(made.commit, i, "bench"));
        return made;
    }
    void check_block(const Bytes& bytes, Timestamp now) const {
        auto parsed = parse_light_block(bytes);
        if (!parsed || !verify(*trusted, *parsed, {}, now)) std::abort();
    }
    void check_signatures(const LightBlock& of, const std::vector<Bytes>& messages) const {
        for (std::size_t i = 0; i < needed; ++i)
            if (!crypto::verify_raw(set->validators()[i].key, messages[i], of.commit.signatures[i].signature))
                std::abort();
    }

    std::vector<crypto::Identity> identities;
    std::optional<ValidatorSet> set;
    std::optional<TrustedBlock> trusted;
    std::size_t needed = 0;
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_lightclient", argc, argv);
    for (std::size_t count : {4u, 100u}) {
        Bench bench(count);
        for (auto [name, height] : {std::pair("adjacent", 2), {"skipping", 1001}}) {
            LightBlock block = bench.block(height);
            Bytes bytes = encode(block);
            std::vector<Bytes> messages;
            for (std::size_t i = 0; i < count; ++i) messages.push_back(sign_bytes(block.commit, i, "bench"));
            auto times = bench::compare([&] { bench.check_block(bytes, block.header.time + std::chrono::seconds(1)); },
                                        [&] { bench.check_signatures(block, messages); });
            std::string row = std::string(name) + "/" + std::to_string(count) + "-validators";
            report.add(row, times.value, "us", times.reference);
            if (height == 2)
                report.add("size/" + std::to_string(count) + "-validators", static_cast<double>(bytes.size()), "bytes");
        }
    }
    return report.finish();
}
