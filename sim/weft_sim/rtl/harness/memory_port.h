// One AXI4 port of the memory: a synchronous machine whose outputs depend on its state alone.
//
// ``drive`` puts a cycle's inputs on the chip's pins, ``sample`` reads the chip's outputs once they have settled and takes
// the handshakes of the cycle. The order of events in a cycle is the one that weft_sim/dram.py lists.
#pragma once

#include <deque>

#include "dram.h"
#include "protocol.h"
#include "signals.h"
#include "statistics.h"

namespace weft {

template <class Signals>
class MemoryPort {
public:
    static constexpr unsigned beat_bytes = Signals::beat_bytes;
    static constexpr unsigned strobe_bytes = (beat_bytes + 7) / 8;

    MemoryPort(const Signals& pins, const Dram& dram, unsigned index, const std::string& name)
        : pins_(pins), dram_(dram), index_(index), protocol_(name), stalls_(dram.parameters, index) {
        const std::uint64_t rate = dram.parameters.bytes_per_cycle ? dram.parameters.bytes_per_cycle : beat_bytes;
        beat_cycles_ = (beat_bytes + rate - 1) / rate;
    }

    void reset() {
        stalls_ = Stalls(dram_.parameters, index_);
        reads_.clear();
        writes_.clear();
        responses_.clear();
        read_held_ = {};
        write_held_ = {};
        data_held_ = {};
        statistics_ = {};
        bus_free_ = 0;
        turn_write_ = write_full_ = read_full_ = response_full_ = false;
        pins_.awready = pins_.wready = pins_.arready = pins_.rvalid = pins_.bvalid = 0;
    }

    void drive(std::uint64_t cycle) {
        const bool stalled = stalls_.next();
        if (!stalled) {
            if (cycle >= bus_free_) move_beat(cycle);
            if (!response_full_ && !responses_.empty() && responses_.front().due <= cycle) {
                response_full_ = true;
                pins_.bid = responses_.front().id;
                pins_.bresp = responses_.front().error ? slverr : 0;
                responses_.pop_front();
            }
        }
        pins_.rvalid = read_full_;
        pins_.bvalid = response_full_;
        pins_.arready = pins_.awready = !stalled;
        pins_.wready = !stalled && !write_full_;
    }

    void sample(std::uint64_t cycle) {
        sample_address(cycle);
        data_held_.sample(pins_.wvalid, pins_.wready, cycle, protocol_, "W", [&] { return write_data(); });
        if (pins_.wvalid && pins_.wready) {
            write_full_ = true;
            write_beat_ = write_data();
        }
        if (pins_.rvalid && pins_.rready) read_full_ = false;
        if (pins_.bvalid && pins_.bready) {
            response_full_ = false;
            statistics_.last_write_response_cycle = cycle;
        }
    }

    const Statistics& statistics() const { return statistics_; }

private:
    static constexpr CData slverr = 2;

    struct Burst {
        std::uint64_t address;  // of the next beat, aligned
        std::uint64_t ready;    // first cycle in which a beat may move
        unsigned beats_left;
        unsigned skip;  // bytes of the first beat below the address
        bool error;
        CData id;
    };
    struct Response {
        std::uint64_t due;
        bool error;
        CData id;
    };

    void sample_address(std::uint64_t cycle) {
        read_held_.sample(pins_.arvalid, pins_.arready, cycle, protocol_, "AR", [&] { return read_address(); });
        if (pins_.arvalid && pins_.arready)
            reads_.push_back(accept(cycle, "read", read_address(), cycle + dram_.parameters.latency_cycles, pins_.arid));
        write_held_.sample(pins_.awvalid, pins_.awready, cycle, protocol_, "AW", [&] { return write_address(); });
        if (pins_.awvalid && pins_.awready)
            writes_.push_back(accept(cycle, "write", write_address(), cycle, pins_.awid));
    }

    Burst accept(std::uint64_t cycle, const char* kind, const AddressBeat& beat, std::uint64_t ready, CData id) const {
        protocol_.check_burst(cycle, kind, beat, beat_bytes);
        const unsigned beats = beat.length + 1;
        const unsigned skip = beat.address & (beat_bytes - 1);
        const std::uint64_t first = beat.address - skip;
        const bool error = dram_.refuses(first, static_cast<std::uint64_t>(beats) * beat_bytes);
        return {first, ready, beats, skip, error, id};
    }

    // The bus is free: one beat crosses it, reads and writes in turn if both wait.
    void move_beat(std::uint64_t cycle) {
        const bool read = !read_full_ && !reads_.empty() && reads_.front().ready <= cycle;
        const bool write = write_full_ && !writes_.empty();
        if (!read && !write) return;
        const bool choose_write = write && (!read || turn_write_);
        turn_write_ = !choose_write;
        bus_free_ = cycle + beat_cycles_;
        if (choose_write)
            move_write(cycle);
        else
            move_read();
    }

    void move_read() {
        Burst& burst = reads_.front();
        if (burst.error)
            std::memset(&pins_.rdata, 0, beat_bytes);
        else
            std::memcpy(&pins_.rdata, dram_.bytes + burst.address, beat_bytes);
        read_full_ = true;
        pins_.rid = burst.id;
        pins_.rresp = burst.error ? slverr : 0;
        pins_.rlast = burst.beats_left == 1;
        statistics_.beats_read += 1;
        statistics_.bytes_read += beat_bytes - burst.skip;
        next_beat(reads_);
    }

    void move_write(std::uint64_t cycle) {
        const Burst burst = writes_.front();
        const bool last = burst.beats_left == 1;
        if (write_beat_.last != last)
            protocol_.violated(cycle, std::string("WLAST is ") + (write_beat_.last ? "high" : "low") + " with " +
                                          std::to_string(burst.beats_left - 1) + " beats of the burst to come");
        const unsigned count = count_strobes();
        if (!burst.error) store(dram_.bytes + burst.address, count);
        statistics_.beats_written += 1;
        statistics_.bytes_written += count;
        write_full_ = false;
        if (last) responses_.push_back({cycle + dram_.parameters.latency_cycles, burst.error, burst.id});
        next_beat(writes_);
    }

    static void next_beat(std::deque<Burst>& bursts) {
        Burst& burst = bursts.front();
        burst.address += beat_bytes;
        burst.skip = 0;
        if (--burst.beats_left == 0) bursts.pop_front();
    }

    unsigned count_strobes() const {
        unsigned count = 0;
        for (const std::uint8_t byte : write_beat_.strobe) count += __builtin_popcount(byte);
        return count;
    }

    void store(std::uint8_t* to, unsigned count) const {
        if (count == beat_bytes) {
            std::memcpy(to, write_beat_.data.data(), beat_bytes);
            return;
        }
        for (unsigned i = 0; i < beat_bytes; ++i)
            if (write_beat_.strobe[i / 8] >> (i % 8) & 1) to[i] = write_beat_.data[i];
    }

    AddressBeat read_address() const { return {pins_.araddr, pins_.arlen, pins_.arsize, pins_.arburst}; }
    AddressBeat write_address() const { return {pins_.awaddr, pins_.awlen, pins_.awsize, pins_.awburst}; }

    DataBeat<beat_bytes> write_data() const {
        DataBeat<beat_bytes> beat;
        std::memcpy(beat.data.data(), &pins_.wdata, beat_bytes);
        std::memcpy(beat.strobe.data(), &pins_.wstrb, strobe_bytes);
        beat.last = pins_.wlast;
        return beat;
    }

    Signals pins_;
    const Dram& dram_;
    unsigned index_;
    Protocol protocol_;
    Stalls stalls_;
    Statistics statistics_;
    std::uint64_t beat_cycles_ = 1;
    std::uint64_t bus_free_ = 0;
    bool turn_write_ = false;
    bool write_full_ = false;     // a beat from the chip waits for the bus
    bool read_full_ = false;      // a beat is on the R channel
    bool response_full_ = false;  // a response is on the B channel
    DataBeat<beat_bytes> write_beat_;
    std::deque<Burst> reads_;
    std::deque<Burst> writes_;
    std::deque<Response> responses_;
    Held<AddressBeat> read_held_;
    Held<AddressBeat> write_held_;
    Held<DataBeat<beat_bytes>> data_held_;
};

}  // namespace weft
