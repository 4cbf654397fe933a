// Recovery: reads what a data directory holds, as format.h says, and changes nothing but left-over
// spare and partial files.
#pragma once

#include <string>

#include "host/files.h"
#include "store/index.h"
#include "store/log.h"

namespace keelson::store {

struct Recovered {
  Index index;
  Log::Start log;
  std::uint64_t log_bytes = 0;  // in all segments
  std::string torn = {};        // a segment that ends in a batch which is not whole
};

// Error: internal_error that names the file when something acknowledged is damaged.
Result<Recovered> recover(host::Files& files, const Options& options, Instant now,
                          std::shared_ptr<ParsedValues> values);

}  // namespace keelson::store
