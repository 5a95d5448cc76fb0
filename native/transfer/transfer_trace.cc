// The trace of a transfer: the record is made at the start, and each event writes its own field of it.
#include "transfer/engine.h"
#include "transfer/transfer_parts.h"

namespace snapshard {

void Transfer::make_trace() {
  outcome_.trace.started = std::chrono::duration_cast<std::chrono::nanoseconds>(started_.time_since_epoch()).count();
  outcome_.trace.blocks.resize(layout_.block_count());
  for (size_t file = 0; file < layout_.files().size(); ++file) {
    const Layout::File& place = layout_.files()[file];
    for (size_t block = place.block_begin; block < place.block_end; ++block) {
      trace_of(block).file = static_cast<uint32_t>(file);
      trace_of(block).offset = layout_.block_offset(place, block);
      trace_of(block).bytes = static_cast<uint32_t>(layout_.block_length(place, block));
    }
  }
}

// Before the bytes are accounted for: from then on the block belongs to whoever filled it.
void Transfer::trace_gathered(size_t item, const Stager& stager) {
  stager.clock.end(trace_of(item));
  trace_of(item).thread = stager.number();
}

// A block of which nothing starts in it was gathered with the one before.
void Transfer::trace_spilled(size_t item, uint64_t bytes) {
  BlockTrace& next = trace_of(item + 1);
  if (bytes != next.bytes) return;
  next.thread = trace_of(item).thread;
  next.gather_start = trace_of(item).gather_end;
  next.gather_end = next.gather_start;
}

}  // namespace snapshard
