#include "eval/clove_latency/steps.h"

#include <algorithm>
#include <stdexcept>

#include "crypto/cipher.h"
#include "eval/clove_latency/exchange_timer.h"

namespace planetserve::eval {

namespace {

constexpr dispersal::Threshold record_threshold{4, 3};

// What reading the clock adds to each lap.
double clock_cost() {
    static const double cost = [] {
        std::vector<double> laps;
        for (int i = 0; i < 1001; ++i) {
            double begin = processor_time();
            laps.push_back(processor_time() - begin);
        }
        std::ranges::nth_element(laps, laps.begin() + 500);
        return laps[500];
    }();
    return cost;
}

class Stopwatch {
public:
    explicit Stopwatch(StepTimes& times) : times_(times) { skip(); }
    void lap(Step step) {
        times_[static_cast<std::size_t>(step)] += std::max(0.0, processor_time() - since_ - clock_cost());
        skip();
    }
    void skip() { since_ = processor_time(); }

private:
    StepTimes& times_;
    double since_ = 0;
};

// As exchange::UserSide makes them of a request, and exchange::ModelSide of an answer that comes at once: the head and
// the end are records of their own there.
std::vector<Bytes> records_of(ByteView body, bool request) {
    std::vector<Bytes> records(1);
    if (request)
        exchange::append_item(records[0], exchange::ItemKind::request_head,
                              encode(exchange::RequestHead{{},
                                                           "POST",
                                                           "/v1/chat/completions",
                                                           "application/json",
                                                           "model",
                                                           body.size(),
                                                           std::vector<exchange::Lane>(record_threshold.n),
                                                           record_threshold.k}));
    else
        exchange::append_item(records[0], exchange::ItemKind::reply_head,
                              exchange::encode(inference::ReplyHead{200, {{"content-type", "application/json"}}}));
    if (!request) records.emplace_back();
    while (!body.empty()) {
        std::size_t room = exchange::maximum_record - records.back().size() - exchange::item_header_size;
        std::size_t size = std::min(body.size(), room);
        exchange::append_item(records.back(), exchange::ItemKind::body, body.first(size));
        body = body.subspan(size);
        if (!body.empty()) records.emplace_back();
    }
    if (!request || records.back().size() + exchange::item_header_size > exchange::maximum_record)
        records.emplace_back();
    exchange::append_item(records.back(), exchange::ItemKind::end, {});
    return records;
}

// The time that a cipher of its own takes for as many bytes, which is then taken out of `disperse`.
void note_cipher(StepTimes& times, std::size_t bytes, const crypto::SymmetricKey& key, bool open) {
    static thread_local Bytes data;
    data.resize(bytes);
    double begin = processor_time();
    if (open) {
        crypto::Opener opener(key, {}, {});
        opener.update(data, data);
        (void)opener.finish({});
    } else {
        crypto::Sealer sealer(key, {}, {});
        sealer.update(data, data);
        (void)sealer.finish();
    }
    double took = processor_time() - begin - clock_cost();
    times[static_cast<std::size_t>(Step::cipher)] += took;
    times[static_cast<std::size_t>(Step::disperse)] -= took;
}

exchange::ExchangeKeys derive(const crypto::AgreementKey& own, const crypto::AgreementPublicKey& peer,
                              const exchange::ExchangeId& id, const crypto::AgreementPublicKey& model_onion_key) {
    auto keys = exchange::derive_keys(own, peer, id, model_onion_key);
    if (!keys) throw std::logic_error("a fresh key of small order");
    return *keys;
}

}  // namespace

MessageSteps time_steps(ByteView body, bool request, Random& random) {
    MessageSteps steps;
    auto model_node = crypto::AgreementKey::generate(random);
    const auto& onion_key = model_node.public_key();

    Stopwatch preparing(steps.prepare);
    auto user = crypto::AgreementKey::generate(random);
    exchange::ExchangeId id{user.public_key().value};
    auto keys = derive(user, onion_key, id, onion_key);
    if (request)
        preparing.lap(Step::keys);
    else
        preparing.skip();
    auto records = records_of(body, request);
    preparing.lap(Step::items);
    auto kind = request ? exchange::RecordKind::request : exchange::RecordKind::reply;
    const auto& binding = request ? keys.request : keys.reply;
    exchange::RecordSender sender(kind, binding, record_threshold);
    std::vector<Bytes> envelopes;
    for (const Bytes& record : records) {
        preparing.skip();
        const auto& cloves = sender.add(record, random);
        preparing.lap(Step::disperse);
        for (const Bytes& clove : cloves) envelopes.push_back(exchange::seal_envelope(kind, id.bytes(), clove));
        preparing.lap(Step::envelope);
        note_cipher(steps.prepare, exchange::padded_size(record.size()), binding, false);
    }

    Stopwatch opening(steps.open);
    auto same_keys = derive(model_node, user.public_key(), id, onion_key);
    if (request) opening.lap(Step::keys);
    exchange::RecordReceiver receiver(kind, request ? same_keys.request : same_keys.reply);
    std::size_t opened = 0;
    Bytes arrived;
    for (std::size_t i = 0; i < envelopes.size(); ++i) {
        opening.skip();
        auto envelope = exchange::parse_envelope(envelopes[i]);
        opening.lap(Step::envelope);
        exchange::Source source;
        source.value[0] = static_cast<std::uint8_t>(i % record_threshold.n);
        auto progress = receiver.add(source, envelope->clove);
        opening.lap(Step::disperse);
        if (!progress) throw std::logic_error("cloves that do not open: " + progress.error().message);
        for (const Bytes& record : progress->records) {
            opening.skip();
            auto items = exchange::parse_items(record);
            for (const auto& item : items.value())
                if (item.kind == exchange::ItemKind::body) append(arrived, item.content);
            opening.lap(Step::items);
            note_cipher(steps.open, record.size(), binding, true);
            ++opened;
        }
    }
    if (opened != records.size() || arrived.size() != body.size()) throw std::logic_error("not all records opened");
    return steps;
}

}  // namespace planetserve::eval
