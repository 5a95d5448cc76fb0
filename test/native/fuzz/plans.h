// Plans as a fuzzer makes them: whole ones with changes in them.
#pragma once

#include <functional>

#include "fuzz.h"
#include "transfer/layout.h"
#include "transfer/read_layout.h"

namespace snapshard::test {

// How large the parts of a plan are to be.
using Sizes = std::function<uint64_t(FuzzInput&)>;

// A few files of a few slices, cut into segments of `sources` sources.
LayoutInput fuzzed_layout(FuzzInput& input, size_t sources, const Sizes& sizes);
// Any numbers of it made others.
void edit(FuzzInput& input, LayoutInput& layout);
// Whether it can be carried out, told by adding up alone.
bool is_sound(const LayoutInput& layout);

// A few chunks of `input.paths`, and copies to `input.targets`.
void fuzz_chunks(FuzzInput& input, const Sizes& sizes, ReadInput& read);
void edit(FuzzInput& input, ReadInput& read);
bool is_sound(const ReadInput& read);

}  // namespace snapshard::test
