// Counts since reset; the order is that of library.py.
#pragma once

#include <cstdint>

namespace weft {

struct Statistics {
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t beats_read = 0;
    std::uint64_t beats_written = 0;
    std::uint64_t last_write_response_cycle = 0;
};

}  // namespace weft
