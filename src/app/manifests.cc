#include "app/manifests.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace keelson::app {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kFileBytesMax = 16U << 20;

// What must be there before what; kinds that are not named come last but one, webhooks last.
int rank_of(std::string_view kind) {
  static constexpr std::string_view kOrder[] = {"Namespace",
                                                "CustomResourceDefinition",
                                                "Platform",
                                                "PriorityClass",
                                                "RuntimeClass",
                                                "StorageClass",
                                                "IngressClass",
                                                "ResourceQuota",
                                                "LimitRange",
                                                "ServiceAccount",
                                                "Secret",
                                                "ConfigMap",
                                                "PersistentVolume",
                                                "PersistentVolumeClaim",
                                                "ClusterRole",
                                                "ClusterRoleBinding",
                                                "Role",
                                                "RoleBinding",
                                                "NetworkPolicy",
                                                "PodDisruptionBudget",
                                                "Service",
                                                "DaemonSet",
                                                "StatefulSet",
                                                "Deployment",
                                                "ReplicaSet",
                                                "Pod",
                                                "Job",
                                                "CronJob",
                                                "HorizontalPodAutoscaler",
                                                "Ingress"};
  for (std::size_t i = 0; i < std::size(kOrder); ++i)
    if (kOrder[i] == kind) return static_cast<int>(i);
  return kind.ends_with("WebhookConfiguration") ? 1000 : 900;
}

bool is_manifest(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".yaml" || extension == ".yml" || extension == ".json";
}

std::string at(const std::string& file, const codec::YamlPosition& position) {
  if (position.line == 0) return file;
  return file + ":" + std::to_string(position.line) +
         (position.column > 0 ? ":" + std::to_string(position.column) : "");
}

const codec::YamlPlace* child_of(const codec::YamlPlace& place, std::string_view key) {
  for (const codec::YamlPlace& child : place.children)
    if (child.key == key) return &child;
  return nullptr;
}

void take(Manifests& all, const std::string& file, codec::Value object, codec::YamlPlace places) {
  if (!object.is_object()) {
    all.problems.push_back(at(file, places.at) +
                           ": a manifest is a mapping with apiVersion and kind");
    return;
  }
  const std::string_view kind = object["kind"].as_string();
  if (kind.ends_with("List") && object["items"].is_array()) {
    const codec::YamlPlace* items = child_of(places, "items");
    for (std::size_t i = 0; i < object["items"].size(); ++i)
      take(all, file, object["items"][i],
           items != nullptr && i < items->children.size() ? items->children[i] : places);
    return;
  }
  for (const char* field : {"apiVersion", "kind"})
    if (object[field].as_string().empty()) {
      all.problems.push_back(at(file, places.at) + ": " + field + " is missing");
      return;
    }
  if (object.at("metadata.name").as_string().empty() &&
      object.at("metadata.generateName").as_string().empty()) {
    all.problems.push_back(at(file, places.find("metadata.name")) +
                           (object.at("metadata.name").is_null()
                                ? ": metadata.name is missing"
                                : ": metadata.name is no text: quote it"));
    return;
  }
  all.parts.push_back({file, std::move(object), std::move(places)});
}

void read_file(Manifests& all, const fs::path& path) {
  std::error_code ignored;
  if (fs::file_size(path, ignored) > kFileBytesMax) {
    all.problems.push_back(path.string() + ": larger than 16 MiB");
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  if (!stream) {
    all.problems.push_back(path.string() + ": cannot be read");
    return;
  }
  for (codec::YamlPart& part : codec::parse_yaml_parts(text.str())) {
    if (part.problem) {
      all.problems.push_back(at(path.string(), part.problem->at) + ": " + part.problem->message);
      continue;
    }
    for (const std::string& duplicate : part.document.duplicates)
      all.problems.push_back(path.string() + ":" + duplicate.substr(sizeof "line"));
    if (part.document.duplicates.empty())
      take(all, path.string(), std::move(part.document.value), std::move(part.document.places));
  }
}

}  // namespace

std::string Manifest::place_of(const std::string& field) const {
  const codec::YamlPosition position = places.find(field);
  return file + (position.line > 0 ? ":" + std::to_string(position.line) : "");
}

std::string Manifest::title() const {
  const codec::Value& meta = object["metadata"];
  const std::string ns = meta["namespace"].str();
  return object["kind"].str() + " " + (ns.empty() ? "" : ns + "/") +
         (meta["name"].is_string() ? meta["name"].str() : meta["generateName"].str() + "*");
}

Result<Manifests> read_manifests(const std::vector<std::string>& paths) {
  Manifests all;
  for (const std::string& path : paths) {
    std::error_code failure;
    if (fs::is_directory(path, failure)) {
      std::vector<fs::path> files;
      for (const auto& entry : fs::recursive_directory_iterator(path, failure))
        if (entry.is_regular_file() && is_manifest(entry.path()) &&
            entry.path().stem() != "kustomization")
          files.push_back(entry.path());
      std::sort(files.begin(), files.end());
      if (files.empty())
        all.problems.push_back(path + ": no *.yaml, *.yml or *.json in this directory");
      for (const fs::path& file : files) read_file(all, file);
    } else if (fs::exists(path, failure)) {
      read_file(all, path);
    } else {
      return Error{.reason = Reason::not_found, .message = path + ": no such file or directory"};
    }
  }
  std::stable_sort(all.parts.begin(), all.parts.end(), [](const Manifest& a, const Manifest& b) {
    return rank_of(a.object["kind"].as_string()) < rank_of(b.object["kind"].as_string());
  });
  return all;
}

}  // namespace keelson::app
