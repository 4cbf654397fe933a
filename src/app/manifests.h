// Manifests: files of ordinary Kubernetes YAML or JSON, read in the order in which they must be
// applied, each part knowing where it stands, so that whatever is wrong with it later can be told
// as FILE:LINE.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "codec/yaml.h"

namespace keelson::app {

struct Manifest {
  std::string file;
  codec::Value object;
  codec::YamlPlace places;
  // "examples/mrm/api.yaml:12" for a field path such as "spec.replicas"; the nearest part that is
  // there.
  std::string place_of(const std::string& field) const;
  // "Deployment mrm-production/mrm-api"
  std::string title() const;
};

struct Manifests {
  std::vector<Manifest> parts;        // in order of application
  std::vector<std::string> problems;  // "FILE:LINE:COLUMN: what is wrong"; the rest is still usable
};

// Files, "-" for the standard input, and directories with all *.yaml, *.yml and *.json below them,
// in order of name; what belongs to a kustomization is a problem and not read. Lists are taken
// apart. Order: namespaces, CRDs, platforms, what others refer to, workloads, the rest.
// Error: not_found for a path that is none.
Result<Manifests> read_manifests(const std::vector<std::string>& paths);

}  // namespace keelson::app
