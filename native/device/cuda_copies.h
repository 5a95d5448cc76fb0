#pragma once

#include <span>
#include <vector>

#include "base/status.h"
#include "device/cuda_lane.h"

namespace snapshard {

// Copies that follow each other on both sides made one, and empty ones left out.
std::vector<CudaCopy> merge_copies(std::span<const CudaCopy> copies);

// Asks the driver for the copies, with the context current, and waits for none of them. After a failure some may have
// been begun.
Status issue_copies(CudaDirection direction, std::span<const CudaCopy> copies, void* stream);

}  // namespace snapshard
