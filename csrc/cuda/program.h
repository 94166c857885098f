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
    ~Program();
    Program(Program&&) noexcept;

    // How many kernels one replay launches.
    std::size_t size() const;

    void replay(cudaStream_t stream) const;

  private:
    struct Graph;
    std::unique_ptr<Graph> graph_;
};

}  // namespace ge
