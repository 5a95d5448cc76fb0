#include "device/cuda_copies.h"

#include <vector>

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

bool in_batch(std::span<const CudaCopy> copies) {
  return copies.size() > 1 && (cuda().copy_batch || cuda().copy_batch_first);
}

Status issue_all(CudaDirection direction, std::span<const CudaCopy> copies, void* stream) {
  return in_batch(copies) ? issue_batch(copies, stream) : issue_each(direction, copies, stream);
}

bool is_refused(const Status& status) {
  const auto result = static_cast<CudaResult>(status.error());
  return !status.ok() && (result == CudaResult::kInvalidValue || result == CudaResult::kNotSupported ||
                          result == CudaResult::kCallRequiresNewerDriver);
}

void append(std::vector<CudaCopy>& copies, const CudaCopy& next, bool merge) {
  CudaCopy* const last = copies.empty() ? nullptr : &copies.back();
  if (merge && last != nullptr && last->to + last->bytes == next.to && last->from + last->bytes == next.from) {
    last->bytes += next.bytes;
  } else if (next.bytes > 0) {
    copies.push_back(next);
  }
}

std::vector<CudaCopy> prepare(std::span<const CudaCopy> copies, bool merge) {
  std::vector<CudaCopy> prepared;
  for (const CudaCopy& copy : copies) append(prepared, copy, merge);
  return prepared;
}

}  // namespace

Status issue_copies(CudaDirection direction, std::span<const CudaCopy> copies, void* stream) {
  const std::vector<CudaCopy> merged = prepare(copies, true);
  Status status = issue_all(direction, merged, stream);
  if (!is_refused(status)) return status;
  // Two allocations may lie side by side, and a copy from both is none.
  const std::vector<CudaCopy> single = prepare(copies, false);
  if (single.size() != merged.size()) status = issue_all(direction, single, stream);
  // What the driver does not take as a batch it may take one by one; if not, it then says what is wrong.
  return is_refused(status) && in_batch(single) ? issue_each(direction, single, stream) : status;
}

}  // namespace snapshard
