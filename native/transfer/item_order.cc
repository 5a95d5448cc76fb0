#include "transfer/item_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace snapshard {

void ItemOrder::split(std::vector<uint8_t> queue_of_item, size_t queues) {
  queue_of_item_ = std::move(queue_of_item);
  queues_.assign(queues, Queue());
  turns_.resize(queues);
  std::iota(turns_.begin(), turns_.end(), uint8_t{0});
  for (size_t queue = 0; queue < queues; ++queue) find_next(queue, 0);
  find_oldest();
}

void ItemOrder::sort_turns() {
  std::sort(turns_.begin(), turns_.end(), [this](uint8_t one, uint8_t other) {
    return std::pair(queues_[one].under_way, queues_[one].next) <
           std::pair(queues_[other].under_way, queues_[other].next);
  });
}

void ItemOrder::advance(size_t queue) {
  --left_;
  if (!is_split()) {
    oldest_ = ++queues_[0].next;
    return;
  }
  ++queues_[queue].under_way;
  find_next(queue, queues_[queue].next + 1);
  find_oldest();
}

void ItemOrder::find_next(size_t queue, size_t from) {
  const auto first = queue_of_item_.begin() + static_cast<ptrdiff_t>(from);
  queues_[queue].next = static_cast<size_t>(std::find(first, queue_of_item_.end(), queue) - queue_of_item_.begin());
}

void ItemOrder::find_oldest() {
  oldest_ = queue_of_item_.size();
  for (const Queue& queue : queues_) oldest_ = std::min(oldest_, queue.next);
}

}  // namespace snapshard
