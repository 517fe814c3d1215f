// AXI4 rules that the chip must keep, checked on every transfer. Source: AMBA AXI protocol, ARM IHI 0022, A3.2 and A3.4.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "failure.h"

namespace weft {

constexpr std::uint64_t boundary_bytes = 4096;
constexpr unsigned burst_incr = 1;

struct AddressBeat {
    std::uint64_t address;
    unsigned length;  // beats - 1
    unsigned size;    // log2 of bytes a beat
    unsigned burst;

    bool operator==(const AddressBeat& other) const {
        return address == other.address && length == other.length && size == other.size && burst == other.burst;
    }
};

class Protocol {
public:
    explicit Protocol(std::string port) : port_(std::move(port)) {}

    [[noreturn]] void violated(std::uint64_t cycle, const std::string& what) const {
        throw Failure(Status::protocol, "AXI rule broken on " + port_ + " in cycle " + std::to_string(cycle) + ": " + what);
    }

    // A burst must be INCR, of whole beats, within 4 KiB.
    void check_burst(std::uint64_t cycle, const char* kind, const AddressBeat& beat, unsigned beat_bytes) const {
        const std::string what = std::string(kind) + " burst at " + hex(beat.address) + " of " +
                                 std::to_string(beat.length + 1) + " beats ";
        if (beat.burst != burst_incr) violated(cycle, what + "is of type " + std::to_string(beat.burst) + ", not INCR (1)");
        if ((1u << beat.size) != beat_bytes)
            violated(cycle, what + "has size " + std::to_string(1u << beat.size) + " bytes, not the port's " +
                                std::to_string(beat_bytes));
        const std::uint64_t first = beat.address & ~static_cast<std::uint64_t>(beat_bytes - 1);
        const std::uint64_t last = first + static_cast<std::uint64_t>(beat.length) * beat_bytes;
        if (first / boundary_bytes != last / boundary_bytes) violated(cycle, what + "crosses a 4 KiB boundary");
    }

private:
    std::string port_;
};

// VALID and what goes with it must hold until READY. ``offered`` is called every cycle with the handshake.
template <class Payload>
class Held {
public:
    template <class Read>
    void sample(bool valid, bool ready, std::uint64_t cycle, const Protocol& protocol, const char* channel, Read read) {
        if (waiting_) {
            if (!valid) protocol.violated(cycle, std::string(channel) + " VALID was withdrawn before READY");
            if (!(read() == payload_))
                protocol.violated(cycle, std::string(channel) + " changed while VALID waited for READY");
        } else if (valid && !ready) {
            payload_ = read();
        }
        waiting_ = valid && !ready;
    }

private:
    bool waiting_ = false;
    Payload payload_{};
};

// A write beat as bytes.
template <unsigned bytes>
struct DataBeat {
    std::array<std::uint8_t, bytes> data{};
    std::array<std::uint8_t, (bytes + 7) / 8> strobe{};
    bool last = false;

    bool operator==(const DataBeat& other) const {
        return last == other.last && data == other.data && strobe == other.strobe;
    }
};

}  // namespace weft
