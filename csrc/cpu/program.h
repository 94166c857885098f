// A captured program: a list of native calls that replays with no Python in between.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace ge::cpu {

class Program {
  public:
    using Call = std::function<void()>;

    // Holds the calls that `emit` submits on this thread.
    explicit Program(const std::function<void()>& emit);

    void append(Call call) { calls_.push_back(std::move(call)); }
    std::size_t size() const { return calls_.size(); }

    void replay() const {
        for (const Call& call : calls_) call();
    }

    // One replay; the seconds that each call took.
    std::vector<double> timed_replay() const {
        using Clock = std::chrono::steady_clock;
        std::vector<double> seconds;
        seconds.reserve(calls_.size());
        for (const Call& call : calls_) {
            const auto begun = Clock::now();
            call();
            seconds.push_back(std::chrono::duration<double>(Clock::now() - begun).count());
        }
        return seconds;
    }

  private:
    std::vector<Call> calls_;
};

// The program that this thread records into, or null: then calls run at once.
inline thread_local Program* recording = nullptr;

inline Program::Program(const std::function<void()>& emit) {
    struct Recording {
        explicit Recording(Program* program) { recording = program; }
        ~Recording() { recording = nullptr; }
    } until_the_end(this);
    emit();
}

// Runs `call`, or records it instead.
template <class Call>
void submit(Call&& call) {
    if (recording)
        recording->append(std::forward<Call>(call));
    else
        call();
}

}  // namespace ge::cpu
