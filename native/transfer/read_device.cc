// Targets in device memory: a piece is released once the copies from it have landed.
#include <utility>

#include "transfer/engine.h"
#include "transfer/read_parts.h"
#include "transfer/staging.h"

namespace snapshard {

Status Read::prepare() {
  for (const Target& target : layout_.targets()) {
    if (target.kind != SourceKind::kCuda) continue;
    Status status = lanes_.add(staging_->engine(), *target.cuda);
    if (!status.ok()) return status;
  }
  return {};
}

void Read::add_device_copy(const TargetCopy& copy, Stager& stager) {
  const CudaMemory& memory = *layout_.target(copy.target).cuda;
  stager.device_copies().add(lanes_.index_of(memory),
                             {memory.pointer + copy.to, reinterpret_cast<uint64_t>(copy.from), copy.bytes});
}

void Read::ask_for_copies(Piece& piece, Stager& stager) {
  const LaneCopies& asked = stager.device_copies();
  piece.copies_left = asked.lanes();
  asked.for_each([this, &piece](size_t lane, const std::vector<CudaCopy>& copies) {
    note_slower(staging_->register_with_cuda(lanes_.device(lane)));
    lanes_[lane].copy(CudaDirection::kToDevice, copies, [this, place = &piece](Status status) {
      if (!status.ok()) fail(std::move(status));
      if (place->copies_left.fetch_sub(1, std::memory_order_acq_rel) == 1) finish(*place);
    });
  });
}

void Read::note_slower(const std::string& reason) {
  if (reason.empty()) return;
  const std::lock_guard lock(mutex_);
  if (outcome_.device_reason.empty()) outcome_.device_reason = reason;
}

// Memory that was disposed of meanwhile may go with the last read that used it.
void Read::release_device() {
  if (!lanes_.empty()) lanes_.give_back(std::make_shared<std::vector<Target>>(layout_.take_targets()));
}

}  // namespace snapshard
