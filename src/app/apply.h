// Applying manifests to an API server by server-side apply, and saying in terms of the file what
// was refused.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/client.h"
#include "app/manifests.h"

namespace keelson::app {

struct Applied {
  bool good = false, created = false;
  std::vector<std::string> problems;  // "FILE:LINE: field: what is wrong"
};

class Applier {
 public:
  explicit Applier(Client& client) : client_(client) {}
  // The field manager is "keelson"; conflicts with other managers are forced, as `up` states the
  // whole truth.
  Applied apply(const Manifest& manifest);

 private:
  struct Kind {
    std::string plural;
    bool namespaced = false;
  };
  Result<Kind> find(const std::string& api_version, const std::string& kind);
  std::string similar_kind(const std::string& kind);

  Client& client_;
  std::map<std::pair<std::string, std::string>, Kind> kinds_;
};

// Turns an Error of the API into lines that name file, line and field.
std::vector<std::string> problems_of(const Manifest& manifest, const Error& error);

}  // namespace keelson::app
