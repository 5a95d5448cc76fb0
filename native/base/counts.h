#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace snapshard {

// Whether it is an integer from 0 to 2^53 - 1, as JavaScript gives counts of bytes.
bool is_safe_count(double value);

// All of them as integers; false where one is none.
bool to_counts(std::span<const double> numbers, std::vector<uint64_t>& counts);

}  // namespace snapshard
