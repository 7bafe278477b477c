// S-IDA (src/dispersal) beside the bare sum of its parts: the random bytes, AES-256-GCM and ISA-L's multiplication that
// one message needs, on buffers that are there already. What is above 1 is keys, shares, headers, copies and
// allocations.
//
// split       all n = 4 cloves, into memory that is used again, as the reference's is
// split_new   the same into new memory: above some 100 KiB the kernel's clearing of pages is what one sees
// combine     from the three cloves that need most work: the first fragment is missing
// collect     the same through a Collector, which copies each clove as it arrives; a record is at most 16 KiB
#include <isa-l/erasure_code.h>

#include "bench/report.h"
#include "crypto/cipher.h"
#include "crypto/system_random.h"
#include "dispersal/combine.h"
#include "dispersal/split.h"

namespace {

using namespace planetserve;
using namespace planetserve::dispersal;

constexpr Threshold threshold{4, 3};
constexpr std::size_t limit = std::size_t{16} << 20;

// One row of a code over three vectors, with coefficients that are neither 0 nor 1.
class Row {
public:
    Row() {
        std::array<std::uint8_t, 3> coefficients{2, 3, 4};
        ec_init_tables(3, 1, coefficients.data(), tables_.data());
    }
    void apply(MutableByteView from, MutableByteView out) {
        std::size_t size = out.size();
        std::array<std::uint8_t*, 3> vectors{from.data(), from.data() + size, from.data() + 2 * size};
        std::uint8_t* to = out.data();
        ec_encode_data(static_cast<int>(size), 3, 1, tables_.data(), vectors.data(), &to);
    }

private:
    std::array<std::uint8_t, 96> tables_;
};

struct Bench {
    explicit Bench(std::size_t size)
        : message(size), fragments(3 * fragment_size(size, 3)), opened(size), parity(fragments.size() / 3) {
        random.fill(message);
        random.fill(binding);
        fragments_view = MutableByteView(fragments).first(size);
        key = crypto::SymmetricKey(random_array());
        tag = seal();
        cloves = split(message, threshold, random.id<MessageId>(), binding, random).value();
        last_three = {cloves[1], cloves[2], cloves[3]};
    }
    std::array<std::uint8_t, 32> random_array() {
        std::array<std::uint8_t, 32> bytes;
        random.fill(bytes);
        return bytes;
    }

    void split_message() {
        (void)split_into(cloves_again, message, threshold, id, binding, random);
        bench::keep(cloves_again);
    }
    void split_message_new() { bench::keep(split(message, threshold, id, binding, random)); }
    void split_parts() {
        random.fill(shares);
        bench::keep(seal());
        row.apply(fragments, parity);
        bench::keep(parity);
    }
    void combine_cloves() { bench::keep(combine(last_three, binding, limit)); }
    void collect_cloves() {
        Collector collector(binding, limit);
        for (ByteView clove : last_three) (void)collector.add(clove);
        bench::keep(collector.take_message());
    }
    void combine_parts() {
        row.apply(fragments, parity);
        crypto::Opener opener(key, {}, shares);
        opener.update(fragments_view, opened);
        bench::keep(opener.finish(tag));
    }
    crypto::Tag seal() {
        crypto::Sealer sealer(key, {}, shares);
        sealer.update(message, fragments_view);
        return sealer.finish();
    }

    crypto::SystemRandom random;
    Row row;
    MessageId id = random.id<MessageId>();
    std::array<std::uint8_t, 32> binding{};
    std::array<std::uint8_t, 96> shares{};
    crypto::SymmetricKey key;
    crypto::Tag tag;
    Bytes message;
    Bytes fragments;
    MutableByteView fragments_view;
    Bytes opened;
    Bytes parity;
    std::vector<Bytes> cloves;
    std::vector<Bytes> cloves_again;
    std::array<ByteView, 3> last_three;
};

// Bytes sent per byte of message: each clove after a 4-byte length fills whole cells of 1,400 bytes, which travel as
// 1,436 (docs/protocols/paths.md); four paths.
double wire_cost(std::size_t size) {
    constexpr std::size_t cell_body = 1424;
    constexpr std::size_t cell_payload = cell_body - 24;
    constexpr std::size_t cell_on_the_wire = cell_body + 8 + 4;
    std::size_t cells = (clove_size(size, threshold.k) + 4 + cell_payload - 1) / cell_payload;
    return static_cast<double>(threshold.n * cells * cell_on_the_wire) / static_cast<double>(size);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_dispersal", argc, argv);
    struct Size {
        const char* name;
        std::size_t bytes;
    };
    for (auto [name, bytes] : {Size{"256B", 256}, Size{"1KiB", 1024}, Size{"4KiB", 4096}, Size{"8KiB", 8192},
                               Size{"64KiB", 65536}, Size{"1MiB", 1 << 20}}) {
        Bench bench(bytes);
        auto row = [&](std::string what, auto value, auto reference) {
            auto times = bench::compare(value, reference);
            report.add(what + "/" + name, times.value, "us", times.reference);
        };
        auto split_parts = [&] { bench.split_parts(); };
        auto combine_parts = [&] { bench.combine_parts(); };
        row("split", [&] { bench.split_message(); }, split_parts);
        row("split_new", [&] { bench.split_message_new(); }, split_parts);
        row("combine", [&] { bench.combine_cloves(); }, combine_parts);
        if (bytes <= 65536) row("collect", [&] { bench.collect_cloves(); }, combine_parts);
    }
    // The reference is what dispersal alone must cost: n / k.
    report.add("wire/8KiB", wire_cost(8192), "bytes/byte", 4.0 / 3.0);
    return report.finish();
}
