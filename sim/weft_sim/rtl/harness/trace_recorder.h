// Engine events: which command an engine took or finished, and when.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "signals.h"

namespace weft {

// The layout of weft_sim.target.TRACE_DTYPE.
struct __attribute__((packed)) TraceEvent {
    std::uint64_t cycle;
    std::uint16_t tile;
    std::uint8_t engine;
    std::uint8_t kind;  // 0 taken, 1 done
    std::uint32_t index;
};
static_assert(sizeof(TraceEvent) == 16);

template <std::size_t count>
class TraceRecorder {
public:
    explicit TraceRecorder(const std::array<EngineSignals, count>& engines) : engines_(engines) {}

    void enable(bool enabled) {
        if (enabled && !enabled_) events_.clear();
        enabled_ = enabled;
    }

    void reset() { events_.clear(); }

    void sample(std::uint64_t cycle) {
        if (!enabled_) return;
        for (const EngineSignals& engine : engines_) {
            if (*engine.finish) events_.push_back({cycle, engine.tile, engine.engine, 1, *engine.finish_index});
            if (*engine.start) events_.push_back({cycle, engine.tile, engine.engine, 0, *engine.start_index});
        }
    }

    const std::vector<TraceEvent>& events() const { return events_; }

private:
    std::array<EngineSignals, count> engines_;
    std::vector<TraceEvent> events_;
    bool enabled_ = false;
};

}  // namespace weft
