// The chip's ports as the harness sees them: references to the pins of the compiled model.
//
// A generated header (bindings.py) fills these in. Pins up to 64 bits are integers; wider ones are VlWide arrays of
// 32-bit words, least significant first, so on a little-endian host any data pin is its bytes in memory order.
#pragma once

#include <verilated.h>

#include <cstdint>
#include <cstring>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data pins are copied as bytes");

namespace weft {

// An AXI4 manager of the chip. Members not listed (lock, cache, prot) mean nothing to a memory.
template <class Address, class Data, class Strobe>
struct Axi4Signals {
    static constexpr unsigned beat_bytes = sizeof(Data);
    using DataPin = Data;
    using StrobePin = Strobe;

    CData& awid;
    Address& awaddr;
    CData& awlen;
    CData& awsize;
    CData& awburst;
    CData& awvalid;
    CData& awready;
    Data& wdata;
    Strobe& wstrb;
    CData& wlast;
    CData& wvalid;
    CData& wready;
    CData& bid;
    CData& bresp;
    CData& bvalid;
    CData& bready;
    CData& arid;
    Address& araddr;
    CData& arlen;
    CData& arsize;
    CData& arburst;
    CData& arvalid;
    CData& arready;
    CData& rid;
    Data& rdata;
    CData& rresp;
    CData& rlast;
    CData& rvalid;
    CData& rready;
};

// The chip's AXI4-Lite registers.
template <class Address>
struct AxiLiteSignals {
    Address& awaddr;
    CData& awvalid;
    CData& awready;
    IData& wdata;
    CData& wstrb;
    CData& wvalid;
    CData& wready;
    CData& bresp;
    CData& bvalid;
    CData& bready;
    Address& araddr;
    CData& arvalid;
    CData& arready;
    IData& rdata;
    CData& rresp;
    CData& rvalid;
    CData& rready;
};

// What one engine of one tile shows: a command taken, a command done, and which.
struct EngineSignals {
    std::uint16_t tile;
    std::uint8_t engine;
    const CData* start;
    const IData* start_index;
    const CData* finish;
    const IData* finish_index;
};

}  // namespace weft
