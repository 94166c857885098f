// Errors that throw: a failed check becomes a C++ exception, which the bindings turn into a Python
// one.
#pragma once

#include <stdexcept>
#include <string>

namespace ge {

// Throws std::runtime_error with the place and the message. Out of line of GE_CHECK so that the
// hot path holds only a compare and a call.
[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
    throw std::runtime_error(std::string(file) + ":" + std::to_string(line) + ": " + message);
}

}  // namespace ge

#define GE_CHECK(condition, message)                               \
    do {                                                           \
        if (!(condition)) ge::fail(__FILE__, __LINE__, (message)); \
    } while (false)
