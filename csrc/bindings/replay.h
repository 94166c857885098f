// Program.run of both modules: replays without Python in between, that Ctrl-C ends all the same.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <cstdint>

namespace ge {

// Calls replay() so many times, without the GIL. About every 50 ms Python's signal handlers may
// run, between two replays, so that what one of them raises (KeyboardInterrupt) leaves whole ones.
template <class Replay>
void replay_interruptibly(int64_t times, Replay&& replay) {
    using Clock = std::chrono::steady_clock;
    constexpr auto kPatience = std::chrono::milliseconds(50);
    const pybind11::gil_scoped_release released;
    auto looked = Clock::now();
    for (int64_t i = 0; i < times; ++i) {
        replay();
        if (Clock::now() - looked < kPatience) continue;
        const pybind11::gil_scoped_acquire acquired;
        if (PyErr_CheckSignals() != 0) throw pybind11::error_already_set();
        looked = Clock::now();
    }
}

}  // namespace ge
