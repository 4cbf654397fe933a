// What the volumes of a pod contain, as files. Pure: ConfigMaps, Secrets and the pod itself in,
// paths and bytes out; a driver puts them on disk. Follows pkg/volume/{configmap,secret,projected,
// downwardapi}.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cluster/cluster.h"
#include "codec/value.h"

namespace keelson::node {

using codec::Value;

struct VolumeFile {
  std::string bytes;
  int mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};

struct Volume {
  enum class Kind : std::uint8_t { files, empty_dir, host_path };
  std::string name;
  Kind kind = Kind::files;
  std::map<std::string, VolumeFile> files;  // by relative path
  bool in_memory = false;                   // emptyDir
  std::int64_t bytes_max = 0;               // emptyDir sizeLimit; 0: none
  std::string host_path, host_path_type;
  Instant renew_at = Instant::max();  // a projected token wants to be renewed
};

// A service-account token for a pod, as the TokenRequest API issues it.
struct TokenRequest {
  std::string namespace_, service_account, audience;
  std::int64_t expiration_seconds = 3600;
  Value pod;
};
struct Token {
  std::string text;
  Instant expires;
};
using TokenSource = std::function<Result<Token>(const TokenRequest&)>;

struct VolumeSources {
  const cluster::View& view;
  const TokenSource& tokens;  // may be empty: then projected tokens fail
  std::string node_name, host_address;
  Instant now;
};

// Error: the message of the FailedMount event.
Result<std::vector<Volume>> volumes_of(const Value& pod, const VolumeSources& sources);

// Whether a change of this object concerns the pod's volumes or environment.
bool refers_to(const Value& pod, std::string_view resource, std::string_view name);

}  // namespace keelson::node
