#include "cluster/cluster.h"

namespace keelson::cluster {
namespace {
Key key_of(const Value& object) {
  const Value& meta = object["metadata"];
  return {meta["namespace"].str(), meta["name"].str()};
}
}  // namespace

Watch watch_self(std::string resource) {
  return {std::move(resource), [](const View&, const Value& before, const Value& after) {
            return std::vector<Key>{key_of(after.is_null() ? before : after)};
          }};
}

Watch watch_owned(std::string resource, std::string owner_kind) {
  return {std::move(resource),
          [kind = std::move(owner_kind)](const View&, const Value& before, const Value& after) {
            std::vector<Key> keys;
            for (const Value* object : {&before, &after})
              for (const Value& owner : object->at("metadata.ownerReferences").elements())
                if (owner["controller"].as_bool() && owner["kind"].as_string() == kind) {
                  Key key{object->at("metadata.namespace").str(), owner["name"].str()};
                  if (keys.empty() || keys.back() != key) keys.push_back(std::move(key));
                }
            return keys;
          }};
}

}  // namespace keelson::cluster
