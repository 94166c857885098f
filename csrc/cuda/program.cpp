#include "cuda/program.h"

#include <cuda_runtime.h>

#include <vector>

namespace ge {
namespace {

// A stream of its own: the default stream cannot be captured, and nothing else may be launched on
// one while it is.
class CaptureStream {
  public:
    CaptureStream() {
        check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                   "cudaStreamCreateWithFlags");
    }
    ~CaptureStream() { (void)cudaStreamDestroy(stream_); }
    CaptureStream(const CaptureStream&) = delete;
    CaptureStream& operator=(const CaptureStream&) = delete;

    // Relaxed: launching a kernel for the first time loads it, which other modes refuse.
    cudaGraph_t capture(Context context, const std::function<void(const Context&)>& emit) {
        context.stream = stream_;
        context.synchronous = false;  // nothing runs, so nothing can be waited for
        check_cuda(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed),
                   "cudaStreamBeginCapture");
        cudaGraph_t graph = nullptr;
        try {
            emit(context);
        } catch (...) {
            (void)cudaStreamEndCapture(stream_, &graph);
            if (graph != nullptr) (void)cudaGraphDestroy(graph);
            (void)cudaGetLastError();
            throw;
        }
        check_cuda(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
        return graph;
    }

  private:
    cudaStream_t stream_ = nullptr;
};

std::size_t count_kernels(cudaGraph_t graph) {
    std::size_t count = 0;
    check_cuda(cudaGraphGetNodes(graph, nullptr, &count), "cudaGraphGetNodes");
    std::vector<cudaGraphNode_t> nodes(count);
    check_cuda(cudaGraphGetNodes(graph, nodes.data(), &count), "cudaGraphGetNodes");
    std::size_t kernels = 0;
    for (const cudaGraphNode_t node : nodes) {
        cudaGraphNodeType type{};
        check_cuda(cudaGraphNodeGetType(node, &type), "cudaGraphNodeGetType");
        if (type == cudaGraphNodeTypeKernel) ++kernels;
    }
    return kernels;
}

}  // namespace

struct Program::Graph {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaEvent_t done = nullptr;  // all that was replayed so far
    std::size_t kernels = 0;

    ~Graph() {
        if (done != nullptr) {
            (void)cudaEventSynchronize(done);
            (void)cudaEventDestroy(done);
        }
        if (executable != nullptr) (void)cudaGraphExecDestroy(executable);
        if (graph != nullptr) (void)cudaGraphDestroy(graph);
    }
};

Program::Program(const Context& context, const std::function<void(const Context&)>& emit)
    : graph_(std::make_unique<Graph>()) {
    graph_->graph = CaptureStream().capture(context, emit);
    graph_->kernels = count_kernels(graph_->graph);
    check_cuda(cudaGraphInstantiate(&graph_->executable, graph_->graph, 0), "cudaGraphInstantiate");
    check_cuda(cudaEventCreateWithFlags(&graph_->done, cudaEventDisableTiming),
               "cudaEventCreateWithFlags");
}

Program::~Program() = default;
Program::Program(Program&&) noexcept = default;

std::size_t Program::size() const { return graph_->kernels; }

Program::Run::Run(const Program& program, cudaStream_t stream)
    : program_(program), stream_(stream) {
    check_cuda(cudaStreamWaitEvent(stream, program.graph_->done, 0), "cudaStreamWaitEvent");
}

Program::Run::~Run() { (void)cudaEventRecord(program_.graph_->done, stream_); }

void Program::Run::replay() const {
    check_cuda(cudaGraphLaunch(program_.graph_->executable, stream_), "cudaGraphLaunch");
}

}  // namespace ge
