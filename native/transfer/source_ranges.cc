#include "transfer/source_ranges.h"

namespace snapshard {

namespace {

Status malformed(const char* text) { return Status::failure(Failure::kArgument, text); }

}  // namespace

Status check_source_ranges(const Layout& layout, const std::vector<Source>& sources) {
  for (size_t segment = 0; segment < layout.segment_count(); ++segment) {
    if (layout.segment_source(segment) >= sources.size())
      return malformed("expected segments of sources that are there");
    const Source& source = sources[layout.segment_source(segment)];
    if (source.kind == SourceKind::kPath || source.kind == SourceKind::kDescriptor) continue;
    const uint64_t bytes = layout.segment_end(segment) - layout.segment_begin(segment);
    const uint64_t offset = layout.segment_source_offset(segment);
    if (bytes <= source.bytes && offset <= source.bytes - bytes) continue;
    // JavaScript may have shortened it since.
    if (source.kind != SourceKind::kBuffer) return malformed("expected segments inside their source");
    return Status::failure(Failure::kSourceDetached, "a source is shorter than its tensor");
  }
  return {};
}

}  // namespace snapshard
