#include "device/cuda_copies.h"

#include "device/cuda_functions.h"

namespace snapshard {

namespace {

Status issue_one(CudaDirection direction, const CudaCopy& copy, void* stream) {
  switch (direction) {
    case CudaDirection::kToHost:
      return cuda().copy_to_host(reinterpret_cast<void*>(copy.to), copy.from, copy.bytes, stream);
    case CudaDirection::kToDevice:
      return cuda().copy_to_device(copy.to, reinterpret_cast<const void*>(copy.from), copy.bytes, stream);
    case CudaDirection::kWithinDevice:
      break;
  }
  return cuda().copy_within_device(copy.to, copy.from, copy.bytes, stream);
}

Status issue_each(CudaDirection direction, std::span<const CudaCopy> copies, void* stream) {
  for (const CudaCopy& copy : copies) {
    if (Status status = issue_one(direction, copy, stream); !status.ok()) return status;
  }
  return {};
}

Status issue_batch(std::span<const CudaCopy> copies, void* stream) {
  std::vector<uint64_t> to;
  std::vector<uint64_t> from;
  std::vector<size_t> bytes;
  for (const CudaCopy& copy : copies) {
    to.push_back(copy.to);
    from.push_back(copy.from);
    bytes.push_back(copy.bytes);
  }
  CudaCopyAttributes attributes;
  attributes.source_order = kCudaSourceInStreamOrder;
  attributes.flags = kCudaOverlapWithCompute;
  size_t first = 0;
  const size_t count = copies.size();
  if (cuda().copy_batch) {
    return cuda().copy_batch(to.data(), from.data(), bytes.data(), count, &attributes, &first, 1, stream);
  }
  size_t wrong = 0;
  return cuda().copy_batch_first(to.data(), from.data(), bytes.data(), count, &attributes, &first, 1, &wrong, stream);
}

bool knows_batches() { return cuda().copy_batch || cuda().copy_batch_first; }

// What the driver does not take as a batch it may take one by one; if not, it then says what is wrong.
bool try_one_by_one(const Status& status) {
  const auto result = static_cast<CudaResult>(status.error());
  return result == CudaResult::kInvalidValue || result == CudaResult::kNotSupported ||
         result == CudaResult::kCallRequiresNewerDriver;
}

}  // namespace

std::vector<CudaCopy> merge_copies(std::span<const CudaCopy> copies) {
  std::vector<CudaCopy> merged;
  for (const CudaCopy& copy : copies) {
    if (copy.bytes == 0) continue;
    CudaCopy* const last = merged.empty() ? nullptr : &merged.back();
    if (last != nullptr && last->to + last->bytes == copy.to && last->from + last->bytes == copy.from) {
      last->bytes += copy.bytes;
    } else {
      merged.push_back(copy);
    }
  }
  return merged;
}

Status issue_copies(CudaDirection direction, std::span<const CudaCopy> copies, void* stream) {
  if (copies.size() < 2 || !knows_batches()) return issue_each(direction, copies, stream);
  Status status = issue_batch(copies, stream);
  return status.ok() || !try_one_by_one(status) ? status : issue_each(direction, copies, stream);
}

}  // namespace snapshard
