// Captured launches: the executor's CUDA graphs, for csrc/cuda/program.h.
#include "cuda/program.h"

#include <utility>
#include <vector>

namespace simt {
namespace {

struct Call {
    Launch launch;
    std::function<void()> thread;
};
std::vector<Call>* captured = nullptr;  // null: nothing is being captured

}  // namespace

void submit(cudaStream_t stream, const Launch& launch, const std::function<void()>& thread) {
    if (stream == nullptr || stream != captured) return run(launch, thread);
    captured->push_back({launch, thread});
}

}  // namespace simt

namespace ge {

struct Program::Graph {
    std::vector<simt::Call> calls;
};

Program::Program(const Context& context, const std::function<void(const Context&)>& emit)
    : graph_(std::make_unique<Graph>()) {
    struct Capture {
        explicit Capture(Graph& graph) { simt::captured = &graph.calls; }
        ~Capture() { simt::captured = nullptr; }
    } until_the_end(*graph_);
    Context captured = context;
    captured.stream = simt::captured;
    emit(captured);
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;

std::size_t Program::size() const { return graph_->calls.size(); }

Program::Run::Run(const Program& program, cudaStream_t stream)
    : program_(program), stream_(stream) {}

Program::Run::~Run() = default;

void Program::Run::replay() const {
    for (const simt::Call& call : program_.graph_->calls) simt::run(call.launch, call.thread);
}

}  // namespace ge
