#include "cuda/gemm_options.h"

#include <map>
#include <mutex>
#include <utility>

#include "cuda/device.h"

namespace ge {
namespace {

using Place = std::pair<int, cudaStream_t>;  // the default stream has one address on every device

std::mutex mutex;
std::map<Place, Workspace> workspaces;

}  // namespace

GemmOptions gemm_options;

void set_workspace(cudaStream_t stream, Workspace workspace) {
    const Place place{current_device(), stream};
    const std::lock_guard lock(mutex);
    if (workspace.floats == 0)
        workspaces.erase(place);
    else
        workspaces[place] = workspace;
}

Workspace workspace_of(cudaStream_t stream) {
    const Place place{current_device(), stream};
    const std::lock_guard lock(mutex);
    const auto found = workspaces.find(place);
    return found == workspaces.end() ? Workspace{} : found->second;
}

}  // namespace ge
