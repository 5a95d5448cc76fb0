#pragma once

#include <vector>

#include "base/status.h"
#include "transfer/layout.h"
#include "transfer/source.h"

namespace snapshard {

// That each segment names a source, and does not reach past the memory of it. Where a file ends is seen when it is
// read.
Status check_source_ranges(const Layout& layout, const std::vector<Source>& sources);

}  // namespace snapshard
