// The documents of discovery and OpenAPI as they are sent: made when they are first asked for, kept
// compressed, as long as the resources that they tell of are the same. Definitions come and go one
// by one; what does not concern them stays.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/types.h"

namespace keelson::api {

using Resources = std::vector<model::ResourcePointer>;

struct CachedDocument {
  std::string tag;     // SHA-512 of the JSON form, in upper hexadecimal digits
  std::string packed;  // gzip
  std::string text() const;
};

class DocumentCache {
 public:
  // `make` is called if there is no such document yet. Without a tag it is that of the text.
  const CachedDocument& get(const std::string& key, const std::function<Resources()>& resources,
                            const std::function<std::string()>& make, std::string tag = {});
  // After the resources have changed: forgets what is not as `current` says of its key.
  void keep_current(const std::function<Resources(const std::string& key)>& current);

 private:
  struct Entry {
    Resources resources;
    CachedDocument document;
  };
  std::map<std::string, Entry> entries_;
};

}  // namespace keelson::api
