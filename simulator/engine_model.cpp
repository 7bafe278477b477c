#include "simulator/engine_model.h"

#include <algorithm>

namespace planetserve::simulator {

EngineModel::EngineModel(EventQueue& events, EngineParameters parameters, EngineOutput& output)
    : events_(events),
      parameters_(parameters),
      output_(output),
      cache_(parameters.cache_tokens / parameters.block_tokens) {}

Status EngineModel::submit(EngineRequest request) {
    if (blocks_for(std::uint64_t{request.prompt_tokens} + request.output_tokens) > cache_.capacity())
        return fail(ErrorCode::exhausted, "a request of more tokens than the KV cache holds");
    waiting_.push_back(std::move(request));
    // Not from here: requests of one moment share a step.
    if (!stepping_) {
        stepping_ = true;
        events_.after(0us, [this] { begin_step(); });
    }
    return {};
}

std::uint32_t EngineModel::cached_tokens(std::span<const BlockId> blocks, std::uint32_t prompt_tokens) const {
    if (prompt_tokens == 0) return 0;
    // The last token's output is needed, so it is computed in any case.
    std::size_t most = (prompt_tokens - 1) / parameters_.block_tokens;
    return static_cast<std::uint32_t>(cache_.match(blocks.first(std::min(most, blocks.size()))) *
                                      parameters_.block_tokens);
}

std::uint64_t EngineModel::queued_tokens() const {
    std::uint64_t tokens = 0;
    for (const auto& sequence : running_) tokens += sequence->request.prompt_tokens - sequence->computed;
    for (const EngineRequest& request : waiting_) tokens += request.prompt_tokens;
    return tokens;
}

void EngineModel::admit() {
    while (!waiting_.empty() && running_.size() < parameters_.maximum_running) {
        EngineRequest& request = waiting_.front();
        std::uint32_t cached = cached_tokens(request.blocks, request.prompt_tokens);
        std::size_t matched = cached / parameters_.block_tokens;
        std::size_t own = blocks_for(std::uint64_t{request.prompt_tokens} + request.output_tokens) - matched;
        if (!cache_.admit(std::span(request.blocks).first(matched), own)) return;
        auto sequence = std::make_unique<Sequence>();
        sequence->request = std::move(request);
        waiting_.pop_front();
        sequence->usage = {sequence->request.prompt_tokens, cached};
        sequence->computed = cached;
        sequence->full = matched;
        sequence->own = own;
        const auto& blocks = sequence->request.blocks;
        sequence->pinned.assign(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(matched));
        running_.push_back(std::move(sequence));
    }
}

void EngineModel::begin_step() {
    admit();
    if (running_.empty()) {
        stepping_ = false;
        return;
    }
    std::size_t decoding = 0;
    for (auto& sequence : running_) decoding += sequence->computed == sequence->request.prompt_tokens ? 1 : 0;
    std::size_t budget = parameters_.step_tokens - std::min(parameters_.step_tokens - 1, decoding);
    std::size_t prompt_tokens = 0;
    for (auto& sequence : running_) {
        std::size_t left = sequence->request.prompt_tokens - sequence->computed;
        sequence->step = static_cast<std::uint32_t>(std::min(left, budget - prompt_tokens));
        prompt_tokens += sequence->step;
    }
    double seconds = static_cast<double>(prompt_tokens) / parameters_.prefill_tokens_per_second;
    if (decoding > 0)
        seconds +=
            (1 + parameters_.batch_cost * static_cast<double>(decoding - 1)) / parameters_.decode_tokens_per_second;
    Duration lasts = std::max(Duration(1), std::chrono::round<Duration>(std::chrono::duration<double>(seconds)));
    busy_ += lasts;
    computed_prompt_tokens_ += prompt_tokens;
    events_.after(lasts, [this] { end_step(); });
}

void EngineModel::publish(Sequence& sequence) {
    std::size_t full = (std::size_t{sequence.computed} + sequence.produced) / parameters_.block_tokens;
    full = std::min(full, sequence.request.blocks.size());
    for (; sequence.full < full; ++sequence.full) {
        BlockId block = sequence.request.blocks[sequence.full];
        if (!cache_.publish(block)) continue;
        --sequence.own;
        sequence.pinned.push_back(block);
    }
}

void EngineModel::end_step() {
    std::vector<std::unique_ptr<Sequence>> finished;
    std::vector<std::pair<std::uint64_t, EngineUsage>> first;
    for (auto& sequence : running_) {
        const EngineRequest& request = sequence->request;
        bool decoded = sequence->step == 0 && sequence->computed == request.prompt_tokens;
        sequence->computed += sequence->step;
        bool prompt_done = sequence->step > 0 && sequence->computed == request.prompt_tokens;
        sequence->step = 0;
        if (decoded || prompt_done) ++sequence->produced;
        publish(*sequence);
        if (prompt_done) first.emplace_back(request.number, sequence->usage);
        if (sequence->produced > 0 && sequence->produced >= request.output_tokens) {
            cache_.release(sequence->pinned, sequence->own);
            finished.push_back(std::move(sequence));
        }
    }
    std::erase(running_, nullptr);
    // Last, as the output may submit more.
    for (const auto& [number, usage] : first) output_.on_first_token(number, usage);
    for (const auto& sequence : finished) output_.on_finished(sequence->request.number, sequence->usage);
    begin_step();
}

}  // namespace planetserve::simulator
