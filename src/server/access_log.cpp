// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/printable.h"
#include "server/http_connection.h"

namespace glint::server {

std::string describe_access(const AccessRecord& record) {
  std::string line = fmt::format("{} {} {} {} in {:.3f} s, {} bytes in, {} out", record.peer, printable(record.method, 16),
                                 printable(record.path), record.status, record.seconds, record.bytes_in, record.bytes_out);
  if (!record.complete) line += ", the client went away";
  if (!record.traceparent.empty()) line += ", trace " + printable(record.traceparent, 64);
  return line;
}

}  // namespace glint::server
