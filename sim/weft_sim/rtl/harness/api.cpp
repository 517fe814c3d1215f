// The C interface that library.py loads. Calls that can fail return a Status, and weft_message says
// what happened.

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "simulation.h"

struct WeftHandle {
    std::unique_ptr<weft::Simulation> simulation;
    std::string message;
};

namespace {

template <class Action>
int guarded(WeftHandle* handle, Action action) {
    try {
        action();
        return static_cast<int>(weft::Status::ok);
    } catch (const weft::Failure& failure) {
        handle->message = failure.what();
        return static_cast<int>(failure.status);
    } catch (const std::exception& error) {
        handle->message = error.what();
        return static_cast<int>(weft::Status::internal);
    }
}

}  // namespace

#define WEFT_API extern "C" __attribute__((visibility("default")))

WEFT_API WeftHandle* weft_create() { return new WeftHandle; }

// ``memory`` stays the caller's and must outlive the handle. ``vcd`` is a path or null.
WEFT_API int weft_open(WeftHandle* handle, std::uint8_t* memory, const weft::DramParameters* parameters,
                       const char* vcd) {
    return guarded(handle, [&] { handle->simulation = std::make_unique<weft::Simulation>(memory, *parameters, vcd); });
}

WEFT_API void weft_destroy(WeftHandle* handle) { delete handle; }

WEFT_API const char* weft_message(WeftHandle* handle) { return handle->message.c_str(); }

WEFT_API int weft_reset(WeftHandle* handle) {
    return guarded(handle, [&] { handle->simulation->reset(); });
}

WEFT_API int weft_run(WeftHandle* handle, std::uint64_t max_cycles, int* interrupt) {
    return guarded(handle, [&] { *interrupt = handle->simulation->run(max_cycles); });
}

WEFT_API int weft_read_register(WeftHandle* handle, std::uint32_t offset, std::uint32_t* value) {
    return guarded(handle, [&] { *value = handle->simulation->read_register(offset); });
}

WEFT_API int weft_write_register(WeftHandle* handle, std::uint32_t offset, std::uint32_t value) {
    return guarded(handle, [&] { handle->simulation->write_register(offset, value); });
}

WEFT_API std::uint64_t weft_cycle(WeftHandle* handle) { return handle->simulation->cycle(); }

WEFT_API void weft_set_tracing(WeftHandle* handle, int enabled) { handle->simulation->set_tracing(enabled != 0); }

// The events recorded so far; valid until the next call that runs cycles.
WEFT_API const weft::TraceEvent* weft_trace(WeftHandle* handle, std::uint64_t* count) {
    *count = handle->simulation->trace().size();
    return handle->simulation->trace().data();
}

WEFT_API void weft_statistics(WeftHandle* handle, weft::Statistics* memory, weft::Statistics* host) {
    *memory = handle->simulation->memory_statistics();
    *host = handle->simulation->host_statistics();
}
