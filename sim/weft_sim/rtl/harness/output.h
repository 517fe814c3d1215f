// Text that the model prints ($write, failed assertions): the Verilated runtime is compiled with this header in front, so
// that its output goes to a buffer of the calling thread and never straight to the terminal.
#pragma once

extern "C" int weft_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define VL_PRINTF weft_printf
