#include "output.h"

#include <cstdarg>
#include <cstdio>
#include <string>

namespace weft {

std::string& printed() {
    thread_local std::string text;
    return text;
}

}  // namespace weft

extern "C" int weft_printf(const char* format, ...) {
    char piece[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    weft::printed() += piece;
    return length;
}
