// URLs as Go's net/url reads them, as far as expressions look at them, with its error texts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keelson::model::cel {

struct Url {
  std::string scheme, host, path, raw_path, raw_query;
  std::string text;  // as given

  std::string hostname() const;
  std::string port() const;
  std::string escaped_path() const;
  std::map<std::string, std::vector<std::string>> query() const;
};

// url.ParseRequestURI: absolute, or a path that starts with a slash.
Result<Url> parse_request_uri(std::string_view text);

}  // namespace keelson::model::cel
