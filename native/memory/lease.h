#pragma once

#include "memory/mapping.h"

namespace snapshard {

// Memory lent to JavaScript. Shared by its ArrayBuffer and by the transfers that read it: whoever ends last frees it.
struct Lease {
  Mapping memory;
};

}  // namespace snapshard
