// Numbers of JavaScript are taken as counts exactly where they are integers from 0 to 2^53 - 1.
#include <cmath>
#include <cstring>

#include "../test.h"
#include "base/counts.h"
#include "fuzz.h"

FUZZ {
  std::vector<double> numbers;
  bool all = true;
  while (!input.empty() && numbers.size() < 8) {
    double number = 0;
    const uint64_t bits = input.word();
    if (input.one_in(2)) {
      std::memcpy(&number, &bits, sizeof number);
    } else {
      number = static_cast<double>(input.number());
    }
    numbers.push_back(number);
    all = all && std::isfinite(number) && std::fmod(number, 1) == 0 && number > -1 && number < 0x1p53;
  }
  std::vector<uint64_t> counts;
  CHECK_EQUAL(snapshard::to_counts(numbers, counts), all);
  if (!all) return;
  CHECK_EQUAL(counts.size(), numbers.size());
  for (size_t i = 0; i < counts.size(); ++i) CHECK(static_cast<double>(counts[i]) == numbers[i]);
}
