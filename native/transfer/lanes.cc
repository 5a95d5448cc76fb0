#include "transfer/lanes.h"

#include <algorithm>
#include <utility>

#include "transfer/engine.h"

namespace snapshard {

Lanes::~Lanes() { give_back(nullptr); }

Status Lanes::add(Engine& engine, const CudaMemory& memory) {
  engine_ = &engine;
  size_t index = index_of(memory);
  if (index == entries_.size()) {
    CudaLane* lane = nullptr;
    Status status = engine.take_lane(memory.device, lane);
    if (!status.ok()) return status;
    entries_.push_back({lane, memory.device, {}});
  }
  Entry& entry = entries_[index];
  const CudaOrder& order = memory.order;
  if (!entry.orders.insert({order.kind, order.handle, order.ipc_event.get()}).second) return {};
  return entry.lane->wait_for(order);
}

size_t Lanes::index_of(const CudaMemory& memory) const {
  const auto of_device = [&memory](const Entry& entry) {
    return entry.lane->device().ordinal() == memory.device->ordinal();
  };
  return static_cast<size_t>(std::find_if(entries_.begin(), entries_.end(), of_device) - entries_.begin());
}

void Lanes::give_back(std::shared_ptr<void> held) {
  if (entries_.empty()) return;
  if (held != nullptr) entries_[0].lane->run([held = std::move(held)](bool) mutable { held.reset(); });
  for (const Entry& entry : entries_) engine_->give_back(entry.lane);
  entries_.clear();
}

}  // namespace snapshard
