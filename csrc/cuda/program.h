// A captured program: a CUDA graph, launched as often as asked with no host work in between.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "cuda/launch.h"

namespace ge {

class Program {
  public:
    // Calls `emit` with `context` on a stream of its own, and holds what it launches there without
    // running it. The workspace is in use in every replay.
    Program(const Context& context, const std::function<void(const Context&)>& emit);
    Program(Program&&) noexcept;

    // Waits until what was replayed is done: its memory may be given back after that.
    ~Program();

    // How many kernels one replay launches.
    std::size_t size() const;

    // Replays on one stream, after those that were enqueued before on any: they share memory.
    class Run {
      public:
        Run(const Program& program, cudaStream_t stream);
        ~Run();
        Run(const Run&) = delete;
        Run& operator=(const Run&) = delete;

        void replay() const;

      private:
        const Program& program_;
        cudaStream_t stream_;
    };

  private:
    struct Graph;
    std::unique_ptr<Graph> graph_;
};

}  // namespace ge
