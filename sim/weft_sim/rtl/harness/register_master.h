// AXI4-Lite manager for the chip's registers: one access at a time, as many cycles as the chip takes.
#pragma once

#include <cstdint>

#include "failure.h"
#include "signals.h"

namespace weft {

// A chip that keeps a register access waiting longer than this is broken.
constexpr unsigned register_timeout_cycles = 10'000;

template <class Signals>
class RegisterMaster {
public:
    explicit RegisterMaster(const Signals& pins) : pins_(pins) {}

    void reset() {
        pins_.awvalid = pins_.wvalid = pins_.arvalid = 0;
        pins_.bready = pins_.rready = 0;
        pins_.wstrb = 0xf;
    }

    // ``step(observe)`` runs one cycle and calls ``observe`` when the chip's outputs have settled.
    template <class Step>
    std::uint32_t read(std::uint32_t offset, Step step) {
        std::uint32_t value = 0;
        unsigned response = 0;
        bool asked = false;
        bool answered = false;
        pins_.araddr = offset;
        pins_.arvalid = pins_.rready = 1;
        for (unsigned cycle = 0; !answered; ++cycle) {
            check_patience(cycle, "read", offset);
            step([&] {
                asked |= pins_.arvalid && pins_.arready;
                if (pins_.rvalid) {
                    answered = true;
                    value = pins_.rdata;
                    response = pins_.rresp;
                }
            });
            if (asked) pins_.arvalid = 0;
        }
        pins_.rready = 0;
        check_response(response, "read", offset);
        return value;
    }

    template <class Step>
    void write(std::uint32_t offset, std::uint32_t value, Step step) {
        unsigned response = 0;
        bool addressed = false;
        bool given = false;
        bool answered = false;
        pins_.awaddr = offset;
        pins_.wdata = value;
        pins_.awvalid = pins_.wvalid = pins_.bready = 1;
        for (unsigned cycle = 0; !answered; ++cycle) {
            check_patience(cycle, "write", offset);
            step([&] {
                addressed |= pins_.awvalid && pins_.awready;
                given |= pins_.wvalid && pins_.wready;
                if (pins_.bvalid) {
                    answered = true;
                    response = pins_.bresp;
                }
            });
            if (addressed) pins_.awvalid = 0;
            if (given) pins_.wvalid = 0;
        }
        pins_.bready = 0;
        check_response(response, "write", offset);
    }

private:
    static void check_patience(unsigned cycle, const char* kind, std::uint32_t offset) {
        if (cycle == register_timeout_cycles)
            throw Failure(Status::timeout, std::string(kind) + " of register " + hex(offset) + " was not answered within " +
                                               std::to_string(register_timeout_cycles) + " cycles");
    }

    static void check_response(unsigned response, const char* kind, std::uint32_t offset) {
        if (response != 0)
            throw Failure(Status::response, std::string(kind) + " of register " + hex(offset) +
                                                " was answered with AXI response " + std::to_string(response));
    }

    Signals pins_;
};

}  // namespace weft
