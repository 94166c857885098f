// How a kernel's C++ parameters travel from Python: an array as its address (an int, 0 for none),
// a named option as its string, several of them as strings, anything else as itself.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>

#include "common/activation.h"
#include "common/elementwise.h"
#include "common/elementwise_program.h"

namespace ge {

template <class T>
using WireOne = std::conditional_t<std::is_pointer_v<T>, std::uintptr_t,
                                   std::conditional_t<std::is_enum_v<T>, std::string, T>>;

template <class T>
struct WireOf {
    using type = WireOne<T>;
};
template <>
struct WireOf<StepOps> {
    using type = std::array<std::string, std::tuple_size_v<StepOps>>;
};

template <class T>
using Wire = typename WireOf<T>::type;

template <class T>
T from_wire(const Wire<T>& value) {
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<T>(value);
    else if constexpr (std::is_same_v<T, Activation>)
        return parse_activation(value);
    else if constexpr (std::is_same_v<T, UnaryOp>)
        return parse_unary_op(value);
    else if constexpr (std::is_same_v<T, BinaryOp>)
        return parse_binary_op(value);
    else if constexpr (std::is_same_v<T, StepOps>)
        return parse_step_ops(value);
    else
        return value;
}

}  // namespace ge
