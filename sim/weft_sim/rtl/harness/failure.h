// What went wrong in the chip or around it, with the code that the C interface returns.
#pragma once

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace weft {

enum class Status : int {
    ok = 0,
    protocol = 1,   // the chip broke an AXI rule
    assertion = 2,  // an assertion in the hardware failed
    response = 3,   // a register access was answered with an error
    timeout = 4,    // a register access was not answered
    internal = 5,
};

struct Failure : std::runtime_error {
    Failure(Status status, const std::string& text) : std::runtime_error(text), status(status) {}
    Status status;
};

inline std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace weft
