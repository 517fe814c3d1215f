// One chip with its memory: reset, cycles, registers.
//
// A cycle, numbered from the end of reset:
//   1. drive    the harness puts its inputs on the pins; they depend on its state alone (a synchronous circuit)
//   2. tick     the clock edge that begins the cycle: chip state and the registers before the chip's inputs (wrapper.py)
//               change together, then combinational logic settles; one evaluation
//   3. sample   the harness reads the outputs of this cycle and takes its handshakes and events
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chip.h"  // generated
#include "dram.h"
#include "failure.h"
#include "memory_port.h"
#include "register_master.h"
#include "trace_recorder.h"
#if VM_TRACE
#include <verilated_vcd_c.h>
#endif

namespace weft {

std::string& printed();

constexpr unsigned reset_cycles = 4;

class Simulation {
public:
    Simulation(std::uint8_t* memory, const DramParameters& parameters, const char* vcd)
        : dram_(memory, parameters),
          model_(&context_, "chip"),
          host_(host_signals(model_), dram_, memory_ports, "the host port"),
          registers_(register_signals(model_)),
          trace_(engine_signals(model_)) {
        context_.fatalOnError(false);
        for (unsigned i = 0; i < memory_ports; ++i)
            ports_.emplace_back(memory_signals(model_, i), dram_, i, "memory port " + std::to_string(i));
#if VM_TRACE
        context_.traceEverOn(true);
        if (vcd != nullptr) {
            vcd_ = std::make_unique<VerilatedVcdC>();
            model_.trace(vcd_.get(), 99);
            vcd_->open(vcd);
            if (!vcd_->isOpen()) throw Failure(Status::internal, std::string("cannot write the VCD file ") + vcd);
        }
#else
        (void)vcd;
#endif
        reset();
    }

    ~Simulation() {
        model_.final();
#if VM_TRACE
        if (vcd_) vcd_->close();
#endif
    }

    void reset() {
        for_each_port([](auto& port) { port.reset(); });
        registers_.reset();
        trace_.reset();
        context_.gotError(false);
        context_.gotFinish(false);
        model_.rst = 1;
        for (unsigned i = 0; i < reset_cycles; ++i) tick();
        context_.gotError(false);
        context_.gotFinish(false);
        printed().clear();
        model_.rst = 0;
        cycle_ = 0;
    }

    template <class Observe>
    void step(Observe observe) {
        for_each_port([this](auto& port) { port.drive(cycle_); });
        tick();
        check_model();
        for_each_port([this](auto& port) { port.sample(cycle_); });
        trace_.sample(cycle_);
        observe();
        ++cycle_;
    }

    bool run(std::uint64_t max_cycles) {
        const CData& interrupt = interrupt_signal(model_);
        for (std::uint64_t i = 0; i < max_cycles && !interrupt; ++i) step([] {});
        return interrupt;
    }

    std::uint32_t read_register(std::uint32_t offset) {
        return registers_.read(offset, [this](auto observe) { step(observe); });
    }

    void write_register(std::uint32_t offset, std::uint32_t value) {
        registers_.write(offset, value, [this](auto observe) { step(observe); });
    }

    void set_tracing(bool enabled) { trace_.enable(enabled); }
    const std::vector<TraceEvent>& trace() const { return trace_.events(); }
    std::uint64_t cycle() const { return cycle_; }

    // Of the memory endpoints together; the host port apart.
    Statistics memory_statistics() const {
        Statistics sum;
        for (const auto& port : ports_) add(sum, port.statistics());
        return sum;
    }
    Statistics host_statistics() const { return host_.statistics(); }

private:
    template <class Visit>
    void for_each_port(Visit visit) {
        for (auto& port : ports_) visit(port);
        visit(host_);
    }

    static void add(Statistics& sum, const Statistics& part) {
        sum.bytes_read += part.bytes_read;
        sum.bytes_written += part.bytes_written;
        sum.beats_read += part.beats_read;
        sum.beats_written += part.beats_written;
        if (part.last_write_response_cycle > sum.last_write_response_cycle)
            sum.last_write_response_cycle = part.last_write_response_cycle;
    }

    void tick() {
#if VM_TRACE
        // a waveform build has the usual clock: the rising edge, then half a period low
        model_.clk = 1;
        model_.eval();
        if (vcd_) vcd_->dump(2 * ticks_);
        model_.clk = 0;
        model_.eval();
        if (vcd_) vcd_->dump(2 * ticks_ + 1);
        ++ticks_;
#else
        // every toggle is a cycle
        model_.clk = !model_.clk;
        model_.eval();
#endif
    }

    // A failed assertion stops the simulation; other text of the model goes to the error output.
    void check_model() {
        if (context_.gotError() || context_.gotFinish()) {
            const std::string text = std::move(printed());
            printed().clear();
            context_.gotError(false);
            context_.gotFinish(false);
            throw Failure(Status::assertion, "hardware assertion failed in cycle " + std::to_string(cycle_ - 1) + ": " + text);
        }
        if (!printed().empty()) {
            std::fputs(printed().c_str(), stderr);
            printed().clear();
        }
    }

    Dram dram_;
    VerilatedContext context_;
    Model model_;
    std::vector<MemoryPort<MemorySignals>> ports_;
    MemoryPort<HostSignals> host_;
    RegisterMaster<RegisterSignals> registers_;
    TraceRecorder<engine_count> trace_;
    std::uint64_t cycle_ = 0;
#if VM_TRACE
    std::uint64_t ticks_ = 0;
    std::unique_ptr<VerilatedVcdC> vcd_;
#endif
};

}  // namespace weft
