#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace snapshard {

// The order in which the items of a transfer are begun: strictly one after the other, unless they are split into
// queues, each of which keeps its own order, so that a device never waits behind another.
//
// The queue with the fewest items under way comes first. What the oldest item may need stays in the pool until nothing
// else of its queue is under way: a device that does not answer gets no more than its share of the pool, and no item
// waits for ever. `take(item, may_take_last)` says whether an item could be begun.
class ItemOrder {
 public:
  explicit ItemOrder(size_t items) : left_(items), queues_(1) {}

  // `queue_of_item` has one entry for each item. Before anything is begun.
  void split(std::vector<uint8_t> queue_of_item, size_t queues);

  [[nodiscard]] bool is_split() const { return queues_.size() > 1; }
  [[nodiscard]] bool empty() const { return left_ == 0; }

  template <typename Take>
  std::optional<size_t> begin(Take take) {
    if (is_split()) sort_turns();
    for (const uint8_t turn : turns_) {
      const size_t item = queues_[turn].next;
      if (item == end() || !take(item, item == oldest_ && queues_[turn].under_way == 0)) continue;
      advance(turn);
      return item;
    }
    return std::nullopt;
  }
  // It is no longer under way, for a split order.
  void ended(size_t item) { --queues_[queue_of_item_[item]].under_way; }

 private:
  struct Queue {
    size_t next = 0;
    size_t under_way = 0;
  };

  [[nodiscard]] size_t end() const { return queue_of_item_.empty() ? SIZE_MAX : queue_of_item_.size(); }
  void sort_turns();
  void advance(size_t queue);
  void find_next(size_t queue, size_t from);
  void find_oldest();

  size_t left_;
  std::vector<Queue> queues_;
  std::vector<uint8_t> turns_ = {0};
  std::vector<uint8_t> queue_of_item_;
  size_t oldest_ = 0;
};

}  // namespace snapshard
