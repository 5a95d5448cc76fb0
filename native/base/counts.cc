#include "base/counts.h"

#include <cmath>

namespace snapshard {

namespace {

constexpr double kSafeIntegerMax = 9007199254740991.0;

}  // namespace

bool is_safe_count(double value) { return value >= 0 && value <= kSafeIntegerMax && std::trunc(value) == value; }

bool to_counts(std::span<const double> numbers, std::vector<uint64_t>& counts) {
  counts.clear();
  counts.reserve(numbers.size());
  for (const double number : numbers) {
    if (!is_safe_count(number)) return false;
    counts.push_back(static_cast<uint64_t>(number));
  }
  return true;
}

}  // namespace snapshard
