// The memory behind all ports: its bytes, its parameters, its stalls. weft_sim/dram.py is the description.
#pragma once

#include <cstdint>

namespace weft {

// Filled in by library.py, field by field.
struct DramParameters {
    std::uint64_t size_bytes;
    std::uint64_t latency_cycles;
    std::uint64_t bytes_per_cycle;  // 0: the width of the port
    std::uint64_t stall_threshold;  // stall when a 32-bit random number is below it
    std::uint64_t stall_seed;
    std::uint64_t error_base;
    std::uint64_t error_limit;
};

class Dram {
public:
    Dram(std::uint8_t* bytes, const DramParameters& parameters) : bytes(bytes), parameters(parameters) {}

    // Whether an access to [first, first + count) is answered with an error.
    bool refuses(std::uint64_t first, std::uint64_t count) const {
        const std::uint64_t limit = first + count;
        if (limit < first || limit > parameters.size_bytes) return true;
        return first < parameters.error_limit && limit > parameters.error_base;
    }

    std::uint8_t* const bytes;
    const DramParameters parameters;
};

// xorshift32 (Marsaglia 2003: shifts 13, 17, 5), one number a cycle.
class Stalls {
public:
    Stalls(const DramParameters& parameters, unsigned port) : threshold_(parameters.stall_threshold) {
        state_ = static_cast<std::uint32_t>(parameters.stall_seed) ^ (0x9E3779B9u * (port + 1));
        if (state_ == 0) state_ = 1;
    }

    bool next() {
        if (threshold_ == 0) return false;
        state_ ^= state_ << 13;
        state_ ^= state_ >> 17;
        state_ ^= state_ << 5;
        return state_ < threshold_;
    }

private:
    std::uint64_t threshold_;
    std::uint32_t state_;
};

}  // namespace weft
