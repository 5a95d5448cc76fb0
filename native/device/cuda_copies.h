#pragma once

#include <span>

#include "base/status.h"
#include "device/cuda_lane.h"

namespace snapshard {

// Asks the driver for the copies, with the context current, and waits for none of them. Those that follow each other on
// both sides are made as one, the rest in a batch where the driver has that. After a failure some may have been begun.
Status issue_copies(CudaDirection direction, std::span<const CudaCopy> copies, void* stream);

}  // namespace snapshard
